import type { CryptoSuite, Signer } from "../../src/crypto/index.ts";
import {
  assert,
  bytesEqual,
  type CancelTimer,
  type Clock,
  type Entropy,
  type Log,
  type Prng,
  type Timers,
} from "../../src/kernel/index.ts";
import {
  decodeAck,
  decodeRefusal,
  decodeWelcome,
  encodeBatch,
  encodeBeat,
  encodeHeartbeat,
  encodeHello,
  encodeOffer,
  type Heartbeat,
  isWitnessed,
  type LinkProfile,
  type RequestKind,
  SYNC_CODECS,
  SYNC_LANES,
  SYNC_LIMITS,
  type SyncAck,
  type SyncBatch,
  type SyncLane,
  type SyncRefusal,
  type Welcome,
} from "../protocol/index.ts";
import { findLie, judgeCursor } from "./compare.ts";
import type { EscrowOutlet, OfferOutcome } from "./escrow/ports.ts";
import { extentOf } from "./extent.ts";
import { isAsTold } from "./news.ts";
import { packBatch } from "./pack.ts";
import { SyncPlanner } from "./planner.ts";
import {
  type AckStore,
  type EventSource,
  type ForkHandler,
  type KeptAck,
  LinkLost,
  type NodeFacts,
  type Reply,
  type SyncCarrier,
  type SyncLink,
} from "./ports.ts";
import { LINK_TUNINGS } from "./profile.ts";
import type { AgentEffect, JudgedCursor } from "./types.ts";
import { UnacknowledgedAge } from "./unacknowledged-age.ts";

/** What an agent stands on. */
export type SyncAgentParts = {
  readonly source: EventSource;
  readonly carrier: SyncCarrier;
  readonly acks: AckStore;
  readonly facts: NodeFacts;
  readonly forks: ForkHandler;
  /** The node's identity; never a validator key. */
  readonly identity: Signer;
  readonly suite: Pick<CryptoSuite, "verify">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  readonly prng: Prng;
  readonly log: Log;
  readonly profile: LinkProfile;
  /** The only key whose acknowledgements count; undefined: the one that the aggregator names. 32 bytes. */
  readonly witnessKey?: Uint8Array;
};

/** How one lane stands. */
export type LaneStatus = {
  readonly lane: SyncLane;
  /** Sequence of the last acknowledged record, and of the last record. */
  readonly acknowledged: number;
  readonly last: number;
  readonly isHeld: boolean;
  /** Why the aggregator takes none of it for now: it has no room for this node's records. */
  readonly full?: string;
  /** Age of its oldest event without an acknowledgement, ms. */
  readonly unacknowledgedMs: number;
};

/** How an agent stands. */
export type SyncStatus = {
  readonly url: string;
  readonly isUp: boolean;
  /** Why not. */
  readonly reason?: string;
  readonly lanes: readonly LaneStatus[];
  /** Age of the oldest event without an acknowledgement, ms: the live RPO, the worst of the lanes'. */
  readonly unacknowledgedMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
};

/** After two histories of a lane were told, the same is not told again for this long, in ms. */
const FORK_REST_MS = 600_000;

/** Incarnations that an aggregator may know beyond this node's latest: each is the trace of a restore. */
const EPOCHS_AHEAD_MAX = 1_000;

/** A session that the aggregator opened, and the last heartbeat that it noted. */
type Session = { readonly link: SyncLink; readonly welcome: Welcome; readonly sinceMs: number; told: Heartbeat | undefined };

/**
 * Brings a node's events to one aggregator: runs what the planner wants. Never holds up the node: it reads a batch of
 * records at a time, and only when the link has room for it.
 */
export class SyncAgent implements EscrowOutlet {
  readonly #parts: SyncAgentParts;
  readonly #planner: SyncPlanner;
  readonly #bootId: Uint8Array;
  readonly #kept = new Map<SyncLane, KeptAck>();
  readonly #age: UnacknowledgedAge;
  readonly #forkedAtMs = new Map<SyncLane, number>();
  /** Lanes that the aggregator had no room for, with its words, until it takes some again. */
  readonly #full = new Map<SyncLane, string>();
  #link: SyncLink | undefined;
  #session: Session | undefined;
  #heartbeats = 0;
  #pastTraffic = { sentBytes: 0, receivedBytes: 0 };
  #cancelTimer: CancelTimer | undefined;
  #unsubscribe: (() => void) | undefined;
  #isStopped = false;

  constructor(parts: SyncAgentParts) {
    this.#parts = parts;
    this.#planner = new SyncPlanner(parts.profile, parts.prng);
    this.#bootId = parts.entropy.bytes(16);
    for (const ack of parts.acks.list(parts.carrier.url)) this.#kept.set(ack.lane, ack);
    this.#age = new UnacknowledgedAge(parts.source);
  }

  /** Begins: connects, and goes on for ever. */
  start(): void {
    const { source, clock } = this.#parts;
    this.#unsubscribe = source.subscribe((lane, tip) => this.#run(this.#planner.onGrown(lane, tip, clock.monotonicMs())));
    for (const lane of SYNC_LANES) this.#planner.onGrown(lane, source.tip(lane), clock.monotonicMs());
    this.#run(this.#planner.onTick(clock.monotonicMs()));
  }

  /** Ends: what is not acknowledged is sent by the next start. */
  stop(): void {
    this.#isStopped = true;
    this.#unsubscribe?.();
    this.#cancelTimer?.();
    this.#closeLink("the node stops");
  }

  /** Takes up another link profile. */
  setProfile(profile: LinkProfile): void {
    this.#run(this.#planner.setProfile(profile, this.#parts.clock.monotonicMs()));
  }

  /** The last acknowledged place of a lane, of this start or an earlier one. */
  acknowledged(lane: SyncLane): KeptAck | undefined {
    return this.#kept.get(lane);
  }

  get upSinceMs(): number | undefined {
    return this.#session?.sinceMs;
  }

  /** Whether a key is this aggregator's witness: the one that is configured, else that it names, or signed with before. */
  isWitness(key: Uint8Array): boolean {
    const { witnessKey } = this.#parts;
    if (witnessKey) return bytesEqual(witnessKey, key);
    const named = this.#session?.welcome.witnessKey;
    if (named && bytesEqual(named, key)) return true;
    return [...this.#kept.values()].some((ack) => bytesEqual(ack.witnessKey, key));
  }

  async offer(parcel: Uint8Array): Promise<OfferOutcome | undefined> {
    const session = this.#session;
    if (!session) return undefined;
    const { link, welcome } = session;
    const reply = await this.#ask(link, "escrow", encodeOffer({ session: welcome.session, parcel }));
    if (!reply) return undefined;
    const ack = reply.kind === "ack" ? decodeAck(reply.message) : undefined;
    if (ack?.ok) return { ack: ack.value, witnessKey: welcome.witnessKey };
    const refusal = reply.kind === "refusal" ? decodeRefusal(reply.message) : undefined;
    return { refused: refusal?.ok ? refusal.value.code : "malformed" };
  }

  /** How it stands. */
  status(): SyncStatus {
    const { source, carrier } = this.#parts;
    const held = this.#planner.heldLanes;
    const { reason } = this.#planner;
    const nowMs = this.#parts.clock.nowMs();
    const lanes = SYNC_LANES.map((lane) => ({
      lane,
      unacknowledgedMs: this.#age.ofLane(lane, nowMs, this.#kept.get(lane)),
      acknowledged: this.#kept.get(lane)?.sequence ?? 0,
      last: source.tip(lane).sequence,
      isHeld: held.includes(lane),
      ...(this.#full.has(lane) && { full: this.#full.get(lane) ?? "" }),
    }));
    const traffic = this.#link?.traffic ?? { sentBytes: 0, receivedBytes: 0 };
    return {
      url: carrier.url,
      isUp: this.#planner.link.kind === "up",
      ...(reason === undefined ? {} : { reason }),
      lanes,
      unacknowledgedMs: Math.max(...lanes.map(({ unacknowledgedMs }) => unacknowledgedMs)),
      sentBytes: this.#pastTraffic.sentBytes + traffic.sentBytes,
      receivedBytes: this.#pastTraffic.receivedBytes + traffic.receivedBytes,
    };
  }

  #run(effects: readonly AgentEffect[]): void {
    if (this.#isStopped) return;
    const waiting = [...effects];
    for (let effect = waiting.shift(); effect; effect = waiting.shift()) waiting.push(...this.#perform(effect));
    this.#cancelTimer?.();
    const dueMs = this.#planner.nextTickMs();
    const { clock, timers } = this.#parts;
    this.#cancelTimer = Number.isFinite(dueMs)
      ? timers.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#run(this.#planner.onTick(clock.monotonicMs())))
      : undefined;
  }

  /** @returns what follows from it at once */
  #perform(effect: AgentEffect): readonly AgentEffect[] {
    switch (effect.kind) {
      case "connect":
        void this.#connect();
        return [];
      case "hello":
        void this.#greet();
        return [];
      case "send":
        return this.#send(effect);
      case "keep":
        this.#keep(effect.ack);
        return [];
      case "fork":
        return this.#onFork(effect);
      case "heartbeat":
        void this.#sayHowItIs();
        return [];
      case "close":
        this.#parts.log.warn("sync.linkClosed", { url: this.#parts.carrier.url, reason: effect.reason });
        this.#closeLink(effect.reason);
        return [];
    }
  }

  async #connect(): Promise<void> {
    const { carrier, clock, log } = this.#parts;
    let opened: SyncLink | undefined;
    try {
      opened = await carrier.open((reason) => {
        if (this.#link === opened && opened) this.#onLinkLost(reason);
      });
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
      log.debug("sync.notConnected", { url: carrier.url, reason: error.message });
      this.#run(this.#planner.onLost(error.message, clock.monotonicMs()));
      return;
    }
    if (this.#isStopped || this.#planner.link.kind !== "connecting") {
      opened.close("too late");
      return;
    }
    this.#link = opened;
    this.#run(this.#planner.onConnected(clock.monotonicMs()));
  }

  async #greet(): Promise<void> {
    const { facts, identity, clock, source, profile } = this.#parts;
    const link = this.#link;
    if (!link) return;
    const lanes = SYNC_LANES.map((lane) => extentOf(source, lane));
    const about = {
      identityKey: identity.publicKey,
      bootId: this.#bootId,
      timeMs: clock.nowMs(),
      profile,
      codecs: [...SYNC_CODECS].reverse(),
      lanes,
    };
    const reply = await this.#ask(link, "hello", encodeHello({ ...facts.hello(), ...about }, identity));
    if (!reply) return;
    const nowMs = clock.monotonicMs();
    if (reply.kind === "refusal") {
      const refusal = decodeRefusal(reply.message);
      this.#run(refusal.ok ? this.#planner.onTurnedAway(refusal.value, nowMs) : this.#planner.onLie("an answer that is none", nowMs));
      return;
    }
    const welcome = reply.kind === "welcome" ? decodeWelcome(reply.message) : undefined;
    const expected = this.#parts.witnessKey;
    if (!welcome?.ok) this.#run(this.#planner.onLie("an answer to the hello that is none", nowMs));
    else if (expected && !bytesEqual(expected, welcome.value.witnessKey))
      this.#run(this.#planner.onLie("another witness key than configured", nowMs));
    else this.#onWelcome(link, welcome.value, nowMs);
  }

  #onWelcome(link: SyncLink, welcome: Welcome, nowMs: number): void {
    this.#session = { link, welcome, sinceMs: nowMs, told: undefined };
    const judged = welcome.cursors.map((cursor): JudgedCursor => {
      const kept = this.#kept.get(cursor.lane);
      const verdict = judgeCursor(this.#parts.source, cursor, kept);
      const isSigned = kept?.epoch === cursor.epoch && kept.sequence >= cursor.sequence;
      // A welcome is not signed: the last record is sent once more, for the acknowledgement that this node has not seen.
      const from = isSigned || verdict !== "same" ? cursor.sequence : Math.max(0, cursor.sequence - 1);
      return { cursor: { ...cursor, sequence: from }, verdict };
    });
    this.#parts.log.info("sync.up", { url: this.#parts.carrier.url, creditBytes: welcome.creditBytes });
    this.#run(this.#planner.onWelcome(welcome, judged, link.isOrdered, nowMs));
  }

  #send({ lane, after, bytesMax }: Extract<AgentEffect, { kind: "send" }>): readonly AgentEffect[] {
    const { source, clock, log } = this.#parts;
    const session = this.#session;
    if (!session || this.#planner.link.kind !== "up") return []; // an effect before this one has given the link up
    const read = source.read(lane, after, SYNC_LIMITS.batchRecordsMax);
    if (!read.ok) log.error("sync.laneDamaged", { lane, detail: read.error.detail });
    const batch = read.ok ? packBatch(read.value, { session: session.welcome.session, codec: "zstd", bytesMax }) : undefined;
    if (!batch) {
      this.#planner.onNothing(lane);
      return [];
    }
    const { epoch, from, to } = batch;
    const checkpoint = source.checkpoint(lane);
    const isCovered = checkpoint?.epoch === epoch && checkpoint.size >= from - 1 && checkpoint.size <= to;
    const message = encodeBatch(isCovered ? { ...batch, checkpoint: checkpoint.note } : batch);
    void this.#deliver(session, batch, message);
    return this.#planner.onSent(lane, { epoch, from, to, bytes: message.length }, clock.monotonicMs());
  }

  async #deliver(session: Session, batch: SyncBatch, message: Uint8Array): Promise<void> {
    const reply = await this.#ask(session.link, "batch", message);
    if (!reply || this.#session !== session) return;
    const nowMs = this.#parts.clock.monotonicMs();
    if (reply.kind === "ack") {
      const ack = decodeAck(reply.message);
      const lie = ack.ok ? this.#judge(ack.value, batch, session) : "an acknowledgement that is none";
      this.#run(ack.ok && lie === undefined ? this.#planner.onAck(ack.value, nowMs) : this.#planner.onLie(lie ?? "", nowMs));
      return;
    }
    const refusal = reply.kind === "refusal" ? decodeRefusal(reply.message) : undefined;
    this.#run(refusal?.ok ? this.#onRefused(batch, refusal.value, nowMs) : this.#planner.onLie("an answer to a batch that is none", nowMs));
  }

  #onRefused({ lane, epoch, from, to }: SyncBatch, refusal: SyncRefusal, nowMs: number): readonly AgentEffect[] {
    const { cursor } = refusal;
    const { log, carrier } = this.#parts;
    log.debug("sync.refused", { lane, epoch, to, code: refusal.code, detail: refusal.detail });
    if (refusal.code === "full") {
      if (!this.#full.has(lane)) log.warn("sync.full", { url: carrier.url, lane, detail: refusal.detail });
      this.#full.set(lane, refusal.detail);
    }
    if (refusal.code === "gap" && cursor) {
      const next = this.#parts.source.read(lane, cursor, 1);
      const [first] = next.ok ? next.value : [];
      if (first?.epoch === epoch && first.sequence === from) return this.#planner.onLetGo(lane, { epoch, sequence: to }, nowMs);
    }
    const judged = cursor && { cursor, verdict: judgeCursor(this.#parts.source, cursor, this.#kept.get(lane)) };
    return this.#planner.onRefused(lane, { epoch, sequence: to }, refusal, judged, nowMs);
  }

  #judge(ack: SyncAck, batch: SyncBatch, { welcome }: Session): string | undefined {
    const { identity, suite, facts, source } = this.#parts;
    const parties = { witnessKey: welcome.witnessKey, network: facts.hello().network, identityKey: identity.publicKey };
    return isWitnessed(ack, parties, suite.verify) ? findLie(ack, batch, source) : "an acknowledgement that its witness did not sign";
  }

  #keep({ lane, epoch, sequence, hash, timeMs, witness }: SyncAck): void {
    const session = this.#session;
    assert(session !== undefined, "an acknowledgement comes in a session");
    const kept = { lane, epoch, sequence, hash, timeMs, witness, witnessKey: session.welcome.witnessKey };
    this.#full.delete(lane);
    this.#parts.acks.put(this.#parts.carrier.url, kept);
    this.#kept.set(lane, kept);
  }

  #onFork({ lane, cursor, verdict }: Extract<AgentEffect, { kind: "fork" }>): readonly AgentEffect[] {
    const { forks, log, clock, source } = this.#parts;
    const nowMs = clock.monotonicMs();
    log.error("sync.fork", { lane, epoch: cursor.epoch, sequence: cursor.sequence, verdict });
    if (cursor.epoch - source.tip(lane).epoch > EPOCHS_AHEAD_MAX)
      return this.#planner.onLie("a lane in an incarnation that cannot be", nowMs);
    if (nowMs < (this.#forkedAtMs.get(lane) ?? -Infinity) + FORK_REST_MS) {
      // Whoever says so again and again would fill the vital lane, which nothing is ever dropped from.
      return lane === "chain" ? [] : this.#planner.onLie(`another history of ${lane} once more`, nowMs);
    }
    this.#forkedAtMs.set(lane, nowMs);
    if (!forks.onFork(lane, cursor, verdict, this.#session?.welcome.vital)) return [];
    return [...this.#planner.onGrown(lane, source.tip(lane), nowMs), ...this.#planner.onReopened(lane, nowMs)];
  }

  async #sayHowItIs(): Promise<void> {
    const { facts, identity, clock } = this.#parts;
    const session = this.#session;
    if (!session) return;
    const { node, network } = facts.hello();
    const when = { sequence: ++this.#heartbeats, timeMs: clock.nowMs(), unacknowledgedMs: this.status().unacknowledgedMs };
    const heartbeat = { ...facts.heartbeat(), ...when, session: session.welcome.session, node, bootId: this.#bootId };
    const isSame = session.told && isAsTold(heartbeat, session.told, LINK_TUNINGS[this.#parts.profile].figuresMs);
    const message = isSame ? encodeBeat(heartbeat, network, identity) : encodeHeartbeat(heartbeat, network, identity);
    const reply = await this.#ask(session.link, "heartbeat", message);
    if (!reply || this.#session !== session) return;
    if (reply.kind === "noted") {
      if (!isSame) session.told = heartbeat;
      return;
    }
    session.told = undefined;
    const refusal = reply.kind === "refusal" ? decodeRefusal(reply.message) : undefined;
    if (refusal?.ok && (refusal.value.code === "slowDown" || refusal.value.code === "unavailable")) return; // the next one says it again
    this.#run(this.#planner.onLie(refusal?.ok ? refusal.value.code : "an answer to a heartbeat that is none", clock.monotonicMs()));
  }

  /** An answer, or undefined when the link went first: the planner hears of that in its own way. */
  async #ask(link: SyncLink, kind: RequestKind, message: Uint8Array): Promise<Reply | undefined> {
    try {
      const reply = await link.request(kind, message);
      return this.#link === link ? reply : undefined;
    } catch (error) {
      if (!(error instanceof LinkLost)) throw error;
      if (this.#link === link) this.#onLinkLost(error.message);
      return undefined;
    }
  }

  #onLinkLost(reason: string): void {
    this.#closeLink(reason);
    this.#run(this.#planner.onLost(reason, this.#parts.clock.monotonicMs()));
  }

  #closeLink(reason: string): void {
    const link = this.#link;
    this.#link = undefined;
    this.#session = undefined;
    if (!link) return;
    const { sentBytes, receivedBytes } = link.traffic;
    this.#pastTraffic = {
      sentBytes: this.#pastTraffic.sentBytes + sentBytes,
      receivedBytes: this.#pastTraffic.receivedBytes + receivedBytes,
    };
    link.close(reason);
  }
}
