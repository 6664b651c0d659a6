import { multiaddr } from "@multiformats/multiaddr";
import { bytesEqual, type CancelTimer, type Clock, type Timers, toHex } from "../kernel/index.ts";
import type { PeerAddress } from "./address.ts";
import { Budget } from "./budget.ts";
import { LEFT_OUT_RANK } from "./giving-record.ts";
import type { Link } from "./link.ts";
import type { Binding } from "./node-key.ts";
import type { PeerTable } from "./peer-table.ts";
import { ADDRESSES_MAX, type Presence, type Services, signPresence } from "./presence.ts";
import { type KnownPresence, PresenceBook, type PresenceJudge } from "./presence-book.ts";
import type { Misconduct } from "./standing.ts";

/** A node that says that it keeps every block, by its key (lower-case hex), and the multiaddrs at which it is reached. */
export type ArchiveNode = { readonly nodeKey: string; readonly peer: string; readonly addresses: readonly string[] };

/** Archives named to whoever asks, and dialled at a time. */
const ARCHIVES_MAX = 16;

/** What telling and hearing of presences works on. */
export type PresencesParts = PresenceJudge & {
  readonly nodeSeed: Uint8Array;
  readonly binding: Binding | undefined;
  readonly instance: Uint8Array;
  readonly services: Services;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly table: PeerTable;
  /** Multiaddrs at which others reach this node now. */
  readonly ownAddresses: () => readonly string[];
  readonly onMisconduct: (link: Link, misconduct: Misconduct, detail: string) => void;
  /** Where validators are reached is known anew. */
  readonly onAddresses: () => void;
  /** A node says that it keeps every block. */
  readonly onArchive: (nodeKey: Uint8Array) => void;
  /** The lower, the sooner an archive is to be turned to. */
  readonly rankOf: (peer: string) => number;
  /** Another process speaks with this node's key, and again after this one has outbid it: it is no leftover of an earlier run. */
  readonly onTwin: (address: string | undefined) => void;
};

/** Our own word is renewed so often, and looked at for changed addresses so often. */
const RENEW_MS = 15 * 60_000;
const LOOK_MS = 2_000;
/** An own word from elsewhere is outbid at most so often. */
const OUTBID_MS = 30_000;
/** What one peer may tell that is not known, of validators and of others: each costs a verification, and neither may use up the other's. */
const HEARD = { perSecond: 5, burst: 512 } as const;
/** Nodes that are no validators of which a new peer is told at once. */
const OTHERS_TOLD_MAX = 32;
/** Addresses of validators that are dialled because of their presence. */
const TARGETS_MAX = 256;

/**
 * Tells every peer of this node, passes on what others say of themselves, once and only when proven, and knows from it where
 * validators are reached. Flooding over the links there are: with a word of some hundred bytes each quarter of an hour and
 * node, that costs less than agreeing on who tells whom.
 */
export class Presences {
  readonly #parts: PresencesParts;
  readonly #book: PresenceBook;
  readonly #budgets = new WeakMap<Link, { readonly validators: Budget; readonly others: Budget }>();
  #own: Uint8Array | undefined;
  #ownAddresses = "";
  #sequence = 0;
  #signedAtMs = Number.NEGATIVE_INFINITY;
  #outbidAtMs = Number.NEGATIVE_INFINITY;
  #rival: string | undefined;
  #cancel: CancelTimer = () => {};

  constructor(parts: PresencesParts) {
    this.#parts = parts;
    this.#book = new PresenceBook(parts);
  }

  /** Begins to tell. */
  start(): void {
    this.#look();
  }

  /** Ends. */
  stop(): void {
    this.#cancel();
  }

  /** Nodes known by their own word: how many, this one aside. */
  get count(): number {
    return [...this.#book.all].length;
  }

  /** Tells a peer that has come up of this node and of those it may not know. */
  onUp(link: Link): void {
    if (this.#own) link.sendPresence(this.#own);
    const known: KnownPresence[] = [...this.#book.all];
    const validators = known.filter(({ presence }) => this.#book.isValidator(presence));
    const others = known.filter(({ presence }) => !this.#book.isValidator(presence));
    // Who is connected here is there for sure; a word alone may be anybody's.
    others.sort((a, b) => Number(this.#parts.isUp(b.presence.nodeKey)) - Number(this.#parts.isUp(a.presence.nodeKey)));
    for (const { encoded } of [...validators, ...others.slice(0, OTHERS_TOLD_MAX)]) link.sendPresence(encoded);
  }

  /** Hears what a peer passes on. */
  onPresence(link: Link, encoded: Uint8Array): void {
    const { clock, table, onMisconduct, onAddresses } = this.#parts;
    const nowMs = clock.monotonicMs();
    const budgets = this.#budgets.get(link) ?? { validators: new Budget(HEARD, nowMs), others: new Budget(HEARD, nowMs) };
    this.#budgets.set(link, budgets);
    const mayCost = (isValidator: boolean): boolean => {
      const budget = isValidator ? budgets.validators : budgets.others;
      if (!budget.isSolvent(nowMs)) return false;
      budget.spend(1, nowMs);
      return true;
    };
    const heard = this.#book.hear(encoded, nowMs, (nodeKey) => bytesEqual(nodeKey, link.nodeKey), mayCost);
    if (heard.kind === "malformed") onMisconduct(link, "garbage", "a presence that does not decode");
    else if (heard.kind === "unproven") onMisconduct(link, "badPresence", "a presence without its signatures");
    else if (heard.kind === "own") this.#onOwn(heard.presence, nowMs);
    else if (heard.kind === "news") {
      for (const peer of table.peers) if (peer.link !== link) peer.link.sendPresence(encoded);
      if (heard.presence.services.isArchive) this.#parts.onArchive(heard.presence.nodeKey);
      if (this.#book.isValidator(heard.presence)) onAddresses();
    }
  }

  /** Addresses of validators that said where they are, for a validator to dial; being here gives them no rights. */
  get targets(): PeerAddress[] {
    const targets: PeerAddress[] = [];
    for (const { presence } of this.#book.all) {
      const { binding } = presence;
      if (!binding || !this.#book.isValidator(presence)) continue;
      for (const text of presence.addresses) {
        const address = targets.length < TARGETS_MAX ? parseMultiaddr(text) : undefined;
        if (address) targets.push({ text, multiaddr: address, expected: toHex(binding.validatorKey), isDiscovered: true });
      }
    }
    return targets;
  }

  /** Nodes that say that they keep every block, each with where it is reached: a few, those first that have proven most. */
  get archives(): readonly ArchiveNode[] {
    const archives: (ArchiveNode & { readonly rank: number })[] = [];
    for (const { presence } of this.#book.all) {
      const { nodeKey, binding, services, addresses } = presence;
      const peer = toHex(binding?.validatorKey ?? nodeKey);
      if (services.isArchive) archives.push({ nodeKey: toHex(nodeKey), peer, addresses, rank: this.#parts.rankOf(peer) });
    }
    archives.sort((a, b) => a.rank - b.rank);
    return archives.slice(0, ARCHIVES_MAX).map(({ nodeKey, peer, addresses }) => ({ nodeKey, peer, addresses }));
  }

  /** Whether a node says that it keeps every block, among however many. */
  isArchive(nodeKey: Uint8Array): boolean {
    for (const { presence } of this.#book.all) if (presence.services.isArchive && bytesEqual(presence.nodeKey, nodeKey)) return true;
    return false;
  }

  /** Addresses of archives, to dial while nobody who is connected has the blocks that are missing here. */
  get archiveTargets(): PeerAddress[] {
    const targets: PeerAddress[] = [];
    for (const { peer, addresses } of this.archives) {
      if (this.#parts.rankOf(peer) >= LEFT_OUT_RANK) continue;
      for (const text of addresses) {
        const address = parseMultiaddr(text);
        if (address) targets.push({ text, multiaddr: address, expected: peer, isDiscovered: true });
      }
    }
    return targets;
  }

  /** An own word with a later number: of a run before this one, or of another box that runs this key. */
  #onOwn({ instance, sequence, addresses }: Presence, nowMs: number): void {
    if (sequence <= this.#sequence || nowMs - this.#outbidAtMs < OUTBID_MS) return;
    const rival = toHex(instance);
    if (this.#rival === rival) this.#parts.onTwin(addresses[0]);
    this.#rival = rival;
    this.#outbidAtMs = nowMs;
    this.#sequence = sequence;
    this.#tell(nowMs);
  }

  #look(): void {
    const { clock, timers, onAddresses } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (this.#parts.ownAddresses().join() !== this.#ownAddresses || nowMs - this.#signedAtMs >= RENEW_MS) this.#tell(nowMs);
    if (this.#book.forgetOld(nowMs)) onAddresses();
    this.#cancel = timers.after(LOOK_MS, () => this.#look());
  }

  #tell(nowMs: number): void {
    const { clock, nodeSeed, binding, instance, services, chainId, ownNodeKey, table } = this.#parts;
    const addresses = this.#parts.ownAddresses();
    this.#ownAddresses = addresses.join();
    this.#signedAtMs = nowMs;
    this.#sequence = Math.max(this.#sequence + 1, clock.nowMs());
    this.#own = signPresence(
      {
        nodeKey: ownNodeKey,
        ...(binding ? { binding } : {}),
        instance,
        sequence: this.#sequence,
        services,
        addresses: addresses.slice(0, ADDRESSES_MAX),
      },
      chainId,
      nodeSeed,
    );
    for (const { link } of table.peers) link.sendPresence(this.#own);
  }
}

function parseMultiaddr(text: string): PeerAddress["multiaddr"] | undefined {
  try {
    return multiaddr(text);
  } catch (error) {
    if (!(error instanceof Error)) throw error; // every kind of malformed multiaddr is reported by an Error of its own class
    return undefined;
  }
}
