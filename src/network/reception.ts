import { decodeMessage, type Message, type PeerId } from "../consensus/index.ts";
import { assert, err, ok, type Result, toHex } from "../kernel/index.ts";
import type { PeerAddress } from "./address.ts";
import type { BlockSources } from "./block-sources.ts";
import { Budget } from "./budget.ts";
import { type Greeted, type Hello, judgeHello, type Refusal } from "./hello.ts";
import type { Lane } from "./lanes.ts";
import type { Link, LinkEvents } from "./link.ts";
import type { Peer, PeerTable } from "./peer-table.ts";
import type { Redial } from "./redial.ts";
import type { Misconduct, Standing } from "./standing.ts";
import { judgeTip } from "./tip.ts";
import type { Traffic } from "./traffic.ts";
import { Twins } from "./twins.ts";
import type { NetworkOptions, NetworkPorts } from "./types.ts";

/** What receiving works on. */
export type ReceptionParts = {
  readonly options: NetworkOptions;
  readonly ports: NetworkPorts;
  readonly table: PeerTable;
  readonly standing: Standing;
  readonly redial: Redial;
  readonly traffic: Traffic;
  readonly nodeKey: Uint8Array;
  readonly ownHello: () => Hello;
  /** The plan of dialling changed. */
  readonly onPlan: () => void;
  /** A peer is up, by this link from now on. */
  readonly onLinkUp: (link: Link) => void;
  readonly onPresence: (link: Link, encoded: Uint8Array) => void;
  /** Whether a node says that it keeps every block. */
  readonly isArchive: (nodeKey: Uint8Array) => boolean;
  /** Hears who is up, what each says that it has, and what it gives. */
  readonly sources: BlockSources;
  /** Another box runs this node's key. */
  readonly onTwin: (address: string | undefined) => void;
};

/** The instance of the process at the other end, in hex. */
function instanceOf({ hello }: Link): string | undefined {
  return hello && toHex(hello.instance);
}

/** Tips of one peer are judged at most so often; more often costs us verifications and is ignored. */
const TIP_JUDGED_MS = 1_000;
/** How often a peer may say that the lowest block that it serves is another. */
const REACHES = { perSecond: 5, burst: 32 } as const;
/** What any observer may say to consensus; the rest is for validators (R0) and for who was named here. */
const OBSERVER_KINDS: ReadonlySet<Message["kind"]> = new Set(["fetch", "hello"]);

/** What an archive may say too: blocks that were asked for, which prove themselves; unasked they are refused (R13). */
const ARCHIVE_KINDS: ReadonlySet<Message["kind"]> = new Set(["block", "finalBlocks"]);

/** Decides what becomes of what links tell: who is let in, who is up, what is passed on, who loses standing. */
export class Reception implements LinkEvents {
  readonly #parts: ReceptionParts;
  readonly #dialled = new Map<Link, PeerAddress>();
  /** Links by which a peer is or was reached. */
  readonly #raised = new WeakSet<Link>();
  readonly #twins = new Twins();
  /** Where the other box of the same key is, by the link of each. */
  readonly #told = new WeakMap<Link, string>();

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
  }

  /** Remembers which configured address a link was dialled at. */
  onDialled(link: Link, address: PeerAddress): void {
    this.#dialled.set(link, address);
  }

  /** Whether a link leads to a node that was found, not named, and that this node dialled. */
  isFound(link: Link): boolean {
    return this.#dialled.get(link)?.isDiscovered === true;
  }

  /** @see LinkEvents.onHello */
  readonly onHello = (link: Link, hello: Hello): Result<Greeted, Refusal> => {
    const { nodeKey, ownHello } = this.#parts;
    const judged = judgeHello(hello, { own: ownHello(), ownNodeKey: nodeKey, nodeKey: link.nodeKey });
    if (!judged.ok) {
      if (judged.error === "badBinding") this.penalize(toHex(link.nodeKey), "badBinding", false);
      return judged;
    }
    const id = toHex(judged.value.key);
    const refusal = this.#refusalOf(link, id, judged.value);
    return refusal ? err(refusal) : ok(judged.value);
  };

  /** @see LinkEvents.onUp */
  readonly onUp = (link: Link): void => {
    const { ports, table, redial, onPlan, sources } = this.#parts;
    const { greeted } = link;
    assert(greeted !== undefined, "a link that is up was greeted");
    const id = toHex(greeted.key);
    if (table.isRedundant(link, id)) {
      link.refuse("duplicate"); // the other one came up since the hello
      return;
    }
    this.#raised.add(link);
    const address = this.#dialled.get(link);
    if (address) redial.onConnected(address.text, id);
    redial.onPeerUp(id, link.isRelayed, ports.clock.monotonicMs());
    const isValidator = greeted.isBound && ports.isValidator(greeted.key);
    if (isValidator || this.isNamed(id)) link.grantValidator();
    const peer: Peer = {
      id,
      link,
      isValidator,
      provenHeight: undefined,
      lowestHeight: undefined,
      isBeyondUs: false,
      reaches: new Budget(REACHES, ports.clock.monotonicMs()),
      tipJudgedAtMs: Number.NEGATIVE_INFINITY,
    };
    const before = table.raise(peer);
    if (before) {
      ports.onPeerDown(id);
      this.#refuseReplaced(before.link, link);
    }
    onPlan();
    ports.log.info("peer.up", { peer: id.slice(0, 16), isValidator, direction: link.connection.direction, version: greeted.version });
    this.#parts.onLinkUp(link);
    ports.onPeerUp(id);
    sources.onChange(peer);
    if (ports.lowestHeight) link.sendReach(ports.lowestHeight());
    if (link.hello?.tip) this.onTip(link, link.hello.tip);
  };

  /** @see LinkEvents.onMessage */
  readonly onMessage = (link: Link, lane: Lane, payload: Uint8Array): void | Promise<void> => {
    const { table, ports, traffic, sources } = this.#parts;
    const peer = table.peerOf(link);
    if (!peer) return; // replaced a moment ago
    if (lane === "batches") {
      traffic.count("received", "batches/message", payload.length);
      return ports.onBatchMessage(peer.id, payload);
    }
    const message = decodeMessage(payload);
    if (!message.ok && message.error === "unknown") {
      traffic.count("received", `${lane}/unknown`, payload.length); // a later release's
      return;
    }
    if (!message.ok) {
      this.onMisconduct(link, message.error === "tooLarge" ? "oversized" : "garbage", `${lane} message`);
      return link.close(`${message.error} message`);
    }
    traffic.count("received", `${lane}/${message.value.kind}`, payload.length);
    const { kind } = message.value;
    const isFromArchive = ARCHIVE_KINDS.has(kind) && this.#parts.isArchive(link.nodeKey);
    if (!peer.isValidator && !OBSERVER_KINDS.has(kind) && !isFromArchive && !this.isNamed(peer.id)) return;
    sources.onHeard(peer, message.value);
    ports.onMessage(peer.id, message.value);
  };

  /** @see LinkEvents.onTip */
  readonly onTip = (link: Link, tip: Uint8Array): void => {
    const { table, ports } = this.#parts;
    const peer = table.peerOf(link);
    const nowMs = ports.clock.monotonicMs();
    if (!peer || nowMs - peer.tipJudgedAtMs < TIP_JUDGED_MS) return;
    peer.tipJudgedAtMs = nowMs;
    const verdict = judgeTip(tip, ports.tips);
    if (verdict.kind === "proven") peer.provenHeight = Math.max(peer.provenHeight ?? 0, verdict.height);
    peer.isBeyondUs = verdict.kind === "unknownEpoch";
    if (verdict.kind !== "false") return;
    this.onMisconduct(link, "falseTip", "a height without a finalization of its epoch");
    link.close("false tip");
  };

  /** @see LinkEvents.onPresence */
  readonly onPresence = (link: Link, encoded: Uint8Array): void => {
    if (this.#parts.table.peerOf(link)) this.#parts.onPresence(link, encoded);
  };

  /** @see LinkEvents.onReach */
  readonly onReach = (link: Link, lowestHeight: number): void => {
    const { table, ports, sources } = this.#parts;
    const peer = table.peerOf(link);
    if (!peer || peer.lowestHeight === lowestHeight) return;
    const nowMs = ports.clock.monotonicMs();
    if (!peer.reaches.isSolvent(nowMs)) return; // each costs consensus a turn; a peer that prunes says it each quarter of a second
    peer.reaches.spend(1, nowMs);
    peer.lowestHeight = lowestHeight;
    sources.onChange(peer);
  };

  /**
   * Only validators and who was named here are believed: the word costs this node its readiness, and proves nothing.
   *
   * @see LinkEvents.onTwin
   */
  readonly onTwin = (link: Link, address: string): void => {
    const { ports, onTwin } = this.#parts;
    const { greeted } = link;
    const isValidator = greeted?.isBound === true && ports.isValidator(greeted.key);
    const dialled = this.#dialled.get(link);
    const isNamed = dialled ? dialled.isDiscovered !== true : greeted !== undefined && this.isNamed(toHex(greeted.key));
    if (isValidator || isNamed) onTwin(address === "" ? undefined : address);
  };

  /** @see LinkEvents.onRoom */
  readonly onRoom = (link: Link, lane: Lane): void => {
    const peer = this.#parts.table.peerOf(link);
    if (peer && lane === "batches") this.#parts.ports.onBatchRoom(peer.id);
  };

  /** @see LinkEvents.onMisconduct */
  readonly onMisconduct = (link: Link, misconduct: Misconduct, detail: string): void => {
    const peer = this.#parts.table.peerOf(link);
    this.#parts.ports.log.warn("peer.misconduct", { peer: link.shortName, misconduct, detail });
    const isValidator = peer?.isValidator ?? false;
    const nodeKey = toHex(link.nodeKey);
    // The node key too, by which the door knows who knocks before any hello.
    const isBanned = this.penalize(nodeKey, misconduct, isValidator);
    if (peer && peer.id !== nodeKey) this.penalize(peer.id, misconduct, isValidator);
    if (isBanned) link.refuse("banned");
  };

  /** @see LinkEvents.onClosed */
  readonly onClosed = (link: Link, reason: string, refusal: Refusal | undefined): void => {
    const { table, ports, redial, onPlan } = this.#parts;
    const nowMs = ports.clock.monotonicMs();
    const peer = table.drop(link);
    const address = this.#dialled.get(link);
    this.#dialled.delete(link);
    if (address && !this.#raised.has(link)) this.#onFruitlessDial(link, address, reason, refusal);
    if (peer) {
      redial.onPeerDown(peer.id, reason, nowMs);
      ports.log.info("peer.down", { peer: peer.id.slice(0, 16), reason });
      ports.onPeerDown(peer.id);
    } else if (refusal && refusal !== "duplicate") ports.log.warn("peer.refused", { peer: link.shortName, refusal, reason });
    onPlan();
  };

  /** Adds to a peer's points; true when it is banned with that. */
  penalize(key: string, misconduct: Misconduct, isValidator: boolean): boolean {
    return this.#parts.standing.penalize(key, misconduct, isValidator, this.#parts.ports.clock.monotonicMs());
  }

  #refusalOf(link: Link, id: PeerId, { key, isBound }: Greeted): Refusal | undefined {
    const { ports, standing, table, options } = this.#parts;
    const expected = this.#dialled.get(link)?.expected;
    if (expected !== undefined && expected !== id) return "unexpectedKey";
    if (standing.banLeftMs(id, ports.clock.monotonicMs()) > 0) return "banned";
    if (this.#isTwin(link, id)) return "twin";
    if (table.isRedundant(link, id)) return "duplicate";
    if ((isBound && ports.isValidator(key)) || this.#dialled.has(link) || this.isNamed(id) || table.find(id)) return undefined;
    return table.observerCount < options.observersMax ? undefined : "notAllowed";
  }

  /**
   * Whether a peer's box must give way to another box of the same key, which is told of it. A restart is not one: its instance
   * was never here before.
   */
  #isTwin(link: Link, id: PeerId): boolean {
    const { table, ports } = this.#parts;
    const standing = table.find(id)?.link;
    const [fresh, other] = [instanceOf(link), standing && instanceOf(standing)];
    if (!standing || standing.isClosed || fresh === undefined || other === undefined || fresh === other) return false;
    const verdict = this.#twins.meet(id, fresh, other, ports.clock.monotonicMs());
    if (verdict === undefined) {
      this.#told.delete(standing); // it was one of two before; the fresh one may be the same box, started again
      return false;
    }
    const [kept, refused] = verdict === "standing" ? [standing, link] : [link, standing];
    this.#told.set(refused, kept.connection.remoteAddr.toString());
    this.#told.set(kept, refused.connection.remoteAddr.toString());
    ports.log.warn("peer.twins", { peer: id.slice(0, 16), kept: this.#told.get(refused), refused: this.#told.get(kept) });
    if (verdict === "standing") {
      standing.sendTwin(this.#told.get(kept) ?? "");
      link.refuse("twin", this.#told.get(link));
    }
    return verdict === "standing";
  }

  /** A link gives way to another of its peer: the better way to the same box, a restart, or the box that was here first. */
  #refuseReplaced(replaced: Link, by: Link): void {
    const isTwin = this.#told.has(replaced) && instanceOf(replaced) !== instanceOf(by);
    replaced.refuse(isTwin ? "twin" : "duplicate", isTwin ? this.#told.get(replaced) : "");
    if (isTwin) by.sendTwin(this.#told.get(by) ?? "");
  }

  /**
   * Whether the operator named a peer: by its key, or by an address at which it was found. It is heard in full even if it is
   * no validator as far as is known here, for who is far behind knows none of the validators of today.
   */
  isNamed(id: PeerId): boolean {
    const { options, redial } = this.#parts;
    return options.allow.includes(id) || redial.leadsTo(id);
  }

  /** What we dialled did not come up: the peer is connected already, or the address is tried again later. */
  #onFruitlessDial(link: Link, address: PeerAddress, reason: string, refusal: Refusal | undefined): void {
    const { table, ports, redial } = this.#parts;
    const id = link.greeted ? toHex(link.greeted.key) : undefined;
    const known = id ?? this.#idOf(link);
    if (refusal === "duplicate" && known !== undefined && table.find(known)) redial.onConnected(address.text, known);
    else redial.onFailed(address.text, reason, refusal !== undefined && refusal !== "duplicate", ports.clock.monotonicMs());
  }

  /** The id in a hello that was turned away as a duplicate: its binding was valid, or it would have been turned away for that. */
  #idOf({ hello, nodeKey }: Link): PeerId | undefined {
    return hello && toHex(hello.binding?.validatorKey ?? nodeKey);
  }
}
