import type { Message, PeerId } from "../consensus/index.ts";
import { toHex } from "../kernel/index.ts";
import { GivingRecord } from "./giving-record.ts";
import type { Link } from "./link.ts";
import type { Peer, PeerTable } from "./peer-table.ts";
import { askOnStream, encodeFinalRequest, OUTSIDE_PROTOCOLS } from "./requests.ts";
import { showsNextBlock } from "./shown-block.ts";
import type { NetworkPorts } from "./types.ts";

/** What is told to consensus of a peer that it need not ask: the lowest block that it serves is none. */
const NONE = Number.MAX_SAFE_INTEGER;
/** How long an archive has to show the block that is missing here. */
const SHOW_MS = 5_000;
/** Blocks are missing here as long as they were asked for within this. */
const MISSING_MS = 60_000;
/** So long it counts that somebody has shown the missing block: then it is not gone, however slow its giver is. */
const SHOWN_MS = 60_000;

/** What choosing works on. */
export type BlockSourcesParts = {
  readonly ports: NetworkPorts;
  readonly table: PeerTable;
  /** Whether the operator named a peer. */
  readonly isNamed: (peer: PeerId) => boolean;
  /** Whether a node says that it keeps every block. */
  readonly isArchive: (nodeKey: Uint8Array) => boolean;
  /** Whether a link was dialled for nothing but what the other end says of itself. */
  readonly isFound: (link: Link) => boolean;
  /** Others than before are to be dialled. */
  readonly onChoice: () => void;
};

/**
 * Whom consensus may ask for final blocks. It goes by the lowest block that each peer says it serves; anyone can say that, so
 * here the word is passed on only of those whose answers would be heard, and who did not fail lately. A stranger that calls
 * itself an archive must first show the very block that is missing, which all of them are asked for at once: many that have
 * nothing cost no more time than one.
 *
 * @see consensus R13, docs/network.md
 */
export class BlockSources {
  readonly #parts: BlockSourcesParts;
  readonly #record = new GivingRecord();
  readonly #told = new WeakMap<Peer, number>();
  readonly #asking = new Set<PeerId>();
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #missing: { readonly height: number; readonly askedAtMs: number } | undefined;

  constructor(parts: BlockSourcesParts) {
    this.#parts = parts;
  }

  /** A message goes out to a peer; a question for final blocks is noted. */
  onSent(peer: PeerId, message: Message): void {
    if (message.kind !== "fetch" || message.target.kind !== "finalBlocks") return;
    const { clock } = this.#parts.ports;
    const { fromHeight: height } = message.target;
    this.#missing = { height, askedAtMs: clock.monotonicMs() };
    const failed = this.#record.onAsked(peer, height, (asked) => this.#isKnown(this.#parts.table.find(asked)), clock.monotonicMs());
    // Its answer may be late, so the first time it stays connected.
    if (failed !== undefined) this.#onLeftOut(failed, "asked for blocks, it gave none", this.#record.timesLeftOut(failed) > 1);
    for (const each of this.#parts.table.peers) this.onChange(each);
  }

  /** A message came from a peer that is heard. */
  onHeard(peer: Peer, message: Message): void {
    const [first] = message.kind === "finalBlocks" ? message.blocks : [];
    if (!first) return;
    this.#record.onGiven(peer.id, first.header.height);
    this.#tell(peer);
  }

  /** What a peer gave was not what it was asked for. */
  onUseless(peer: PeerId): void {
    if (!this.#record.isTried(peer)) return;
    this.#record.leaveOut(peer, this.#parts.ports.clock.monotonicMs());
    this.#onLeftOut(peer, "what it gave was refused", true);
  }

  /** A node that was to be dialled for its blocks cannot be reached. */
  onUnreachable(peer: PeerId): void {
    const nowMs = this.#parts.ports.clock.monotonicMs();
    if (!this.#record.isLeftOut(peer, nowMs)) this.#record.leaveOut(peer, nowMs);
  }

  /** A peer is up, says something else of itself, or time has passed: what consensus knows of it may be another. */
  onChange(peer: Peer): void {
    this.#tell(peer);
    const { clock } = this.#parts.ports;
    const nowMs = clock.monotonicMs();
    if (!this.#missing || nowMs - this.#missing.askedAtMs > MISSING_MS) return;
    const isUntried = !this.#isKnown(peer) && !this.#record.isTried(peer.id) && !this.#record.isLeftOut(peer.id, nowMs);
    if (!isUntried || !this.#parts.isArchive(peer.link.nodeKey) || this.#asking.has(peer.id)) return;
    this.#askToShow(peer, this.#missing.height).catch((error: unknown) =>
      this.#parts.ports.log.error("peer.askFailed", { peer: peer.id.slice(0, 16), reason: String(error) }),
    );
  }

  /** A node says that it keeps every block. */
  onArchive(nodeKey: Uint8Array): void {
    const peer = this.#parts.table.findNode(toHex(nodeKey));
    if (peer) this.onChange(peer);
  }

  /** Whether somebody has shown the missing block lately, so that it is not gone for good. */
  get isShown(): boolean {
    return this.#parts.ports.clock.monotonicMs() - this.#shownAtMs < SHOWN_MS;
  }

  /** The lower, the sooner an archive is to be dialled and named to others. */
  rankOf(peer: PeerId): number {
    return this.#record.rankOf(peer, this.#parts.ports.clock.monotonicMs());
  }

  async #askToShow(peer: Peer, height: number): Promise<void> {
    const { timers, tips, ownTip } = this.#parts.ports;
    const patience = new AbortController();
    const cancel = timers.after(SHOW_MS, () => patience.abort(new Error("not shown in time")));
    this.#asking.add(peer.id);
    try {
      const stream = await peer.link.connection.newStream(OUTSIDE_PROTOCOLS.final, { signal: patience.signal });
      const answer = await askOnStream(stream, timers, encodeFinalRequest(height), SHOW_MS);
      if (answer.ok && showsNextBlock(answer.value, height, ownTip(), tips)) this.#onShown(peer.id);
      else if (answer.ok || answer.error !== "notFound") this.#onNotShown(peer);
    } catch (error) {
      if (!(error instanceof Error)) throw error; // every way of losing a stream is an Error of its own class
      this.#onNotShown(peer);
    } finally {
      cancel();
      this.#asking.delete(peer.id);
    }
    this.#tell(peer);
  }

  #onShown(peer: PeerId): void {
    this.#record.onShown(peer);
    this.#shownAtMs = this.#parts.ports.clock.monotonicMs();
  }

  #onNotShown(peer: Peer): void {
    if (this.#parts.table.find(peer.id) !== peer) return; // it went away meanwhile, which is no lie
    this.#record.leaveOut(peer.id, this.#parts.ports.clock.monotonicMs());
    this.#onLeftOut(peer.id, "it did not show the block that is missing here", true);
  }

  #onLeftOut(id: PeerId, reason: string, isOver: boolean): void {
    const { ports, table, isFound, onChoice } = this.#parts;
    const peer = table.find(id);
    ports.log.info("peer.leftOut", { peer: id.slice(0, 16), reason });
    if (peer && isOver && !this.#isKnown(peer) && isFound(peer.link)) peer.link.close(reason);
    else if (peer) this.#tell(peer);
    onChoice();
  }

  #tell(peer: Peer): void {
    const { ports, table } = this.#parts;
    if (table.find(peer.id) !== peer) return;
    const word = this.#isAble(peer) ? (peer.lowestHeight ?? 0) : NONE;
    const before = this.#told.get(peer) ?? 0; // consensus asks who says nothing for everything
    if (word === before) return;
    this.#told.set(peer, word);
    ports.onPeerReach?.(peer.id, word);
  }

  #isAble(peer: Peer): boolean {
    if (this.#record.isLeftOut(peer.id, this.#parts.ports.clock.monotonicMs())) return false;
    return this.#isKnown(peer) || (this.#parts.isArchive(peer.link.nodeKey) && this.#record.isTried(peer.id));
  }

  #isKnown(peer: Peer | undefined): boolean {
    return peer !== undefined && (peer.isValidator || this.#parts.isNamed(peer.id));
  }
}
