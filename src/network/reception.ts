import { decodeMessage, type Message, type PeerId } from "../consensus/index.ts";
import { assert, err, ok, type Result, toHex } from "../kernel/index.ts";
import type { PeerAddress } from "./address.ts";
import { type Greeted, type Hello, judgeHello, type Refusal } from "./hello.ts";
import type { Lane } from "./lanes.ts";
import type { Link, LinkEvents } from "./link.ts";
import type { Peer, PeerTable } from "./peer-table.ts";
import type { Redial } from "./redial.ts";
import type { Misconduct, Standing } from "./standing.ts";
import { judgeTip } from "./tip.ts";
import type { Traffic } from "./traffic.ts";
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
};

/** Tips of one peer are judged at most so often; more often costs us verifications and is ignored. */
const TIP_JUDGED_MS = 1_000;
/** What any observer may say to consensus; the rest is for validators (R0) and for who was named here. */
const OBSERVER_KINDS: ReadonlySet<Message["kind"]> = new Set(["fetch", "hello"]);

/** Decides what becomes of what links tell: who is let in, who is up, what is passed on, who loses standing. */
export class Reception implements LinkEvents {
  readonly #parts: ReceptionParts;
  readonly #dialled = new Map<Link, PeerAddress>();
  /** Links by which a peer is or was reached. */
  readonly #raised = new WeakSet<Link>();

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
  }

  /** Remembers which configured address a link was dialled at. */
  onDialled(link: Link, address: PeerAddress): void {
    this.#dialled.set(link, address);
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
    const { ports, table, redial, onPlan } = this.#parts;
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
    redial.onPeerUp(id);
    const isValidator = greeted.isBound && ports.isValidator(greeted.key);
    if (isValidator || this.#isNamed(id)) link.grantValidator();
    const peer: Peer = { id, link, isValidator, provenHeight: undefined, isBeyondUs: false, tipJudgedAtMs: Number.NEGATIVE_INFINITY };
    const before = table.raise(peer);
    if (before) {
      ports.onPeerDown(id);
      before.link.refuse("duplicate");
    }
    onPlan();
    ports.log.info("peer.up", { peer: id.slice(0, 16), isValidator, direction: link.connection.direction, version: greeted.version });
    ports.onPeerUp(id);
    if (link.hello?.tip) this.onTip(link, link.hello.tip);
  };

  /** @see LinkEvents.onMessage */
  readonly onMessage = (link: Link, lane: Lane, payload: Uint8Array): void | Promise<void> => {
    const { table, ports, traffic } = this.#parts;
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
    if (peer.isValidator || OBSERVER_KINDS.has(message.value.kind) || this.#isNamed(peer.id)) ports.onMessage(peer.id, message.value);
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
    if (table.isRedundant(link, id)) return "duplicate";
    if ((isBound && ports.isValidator(key)) || this.#dialled.has(link) || this.#isNamed(id) || table.find(id)) return undefined;
    return table.observerCount < options.observersMax ? undefined : "notAllowed";
  }

  /**
   * Whether the operator named a peer: by its key, or by an address at which it was found. It is heard in full even if it is
   * no validator as far as is known here, for who is far behind knows none of the validators of today.
   */
  #isNamed(id: PeerId): boolean {
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
