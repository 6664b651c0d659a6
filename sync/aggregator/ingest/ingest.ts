import type { Signer } from "../../../src/crypto/index.ts";
import { bytesEqual, type Clock, type Entropy, type Log, toHex } from "../../../src/kernel/index.ts";
import {
  decodeBatch,
  decodeBeat,
  decodeHeartbeat,
  decodeHello,
  encodeAck,
  encodeRefusal,
  encodeWelcome,
  findHeartbeatSession,
  type Hello,
  isBeat,
  type MessageKind,
  type RequestKind,
  type SyncBatch,
  type SyncCursor,
  type SyncRefusal,
  signWitness,
  type VerifySignature,
} from "../../protocol/index.ts";
import { DEFAULT_QUOTA } from "../quota.ts";
import type {
  AdmissionPolicy,
  AggregatorStore,
  EnrolledNode,
  Finding,
  LaneHolding,
  NodeRef,
  PeerCertificate,
  StoredEvent,
} from "../types.ts";
import { StoreUnavailable } from "../types.ts";
import { Appender } from "./appender.ts";
import { findOrigin, openOffer } from "./escrow.ts";
import { type BatchVerdict, judgeBatch } from "./judge-batch.ts";
import { IngestCounters } from "./metrics.ts";
import { judgeRoom, overQuota, type StoreRoom } from "./room.ts";
import { type Session, SessionTable } from "./sessions.ts";

/** What ingest stands on. */
export type IngestParts = {
  readonly store: AggregatorStore;
  readonly policy: AdmissionPolicy;
  /** Signs acknowledgements. */
  readonly witness: Signer;
  readonly verify: VerifySignature;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  /** What a node's records may take where no administrator set others, bytes; undefined: `DEFAULT_QUOTA`. */
  readonly quotaBytes?: number;
  /** The room left where the store writes; undefined: the store alone knows, and says `full` itself. */
  readonly room?: StoreRoom;
  /** Told of events once they are durable. Returns at once. */
  readonly onStored?: (ref: NodeRef, events: readonly StoredEvent[]) => void;
};

/** An answer to a message. */
export type Answer = { readonly kind: MessageKind; readonly message: Uint8Array; readonly refusal?: SyncRefusal };

/** What each node may have on its way, and what waits here at most. */
const ALLOWANCE = { creditBytes: 2 * 1024 * 1024, intervalMs: 0, waitingOfSessionMax: 16, waitingMax: 4_096 } as const;
const FULL_RETRY_MS = 60_000;
const BUSY_RETRY_MS = 2_000;
/** A finding of one kind of one node is written down at most this often. */
const FINDING_EVERY_MS = 60_000;
const NOTHING = new Uint8Array(0);

/**
 * Takes in what nodes say: who they are, their events, how they are.
 *
 * Invariants: an acknowledgement is signed only over what is durable; nothing acknowledged is changed or let go by a
 * message; whatever is refused is refused with a stable code, and what speaks of a wrong history is written down.
 */
export class Ingest {
  readonly counters = new IngestCounters();
  readonly #parts: IngestParts;
  readonly #sessions: SessionTable;
  readonly #appender: Appender;
  readonly #lastFindingMs = new Map<string, number>();
  #waiting = 0;

  constructor(parts: IngestParts) {
    this.#parts = parts;
    this.#sessions = new SessionTable(parts.clock, parts.entropy);
    this.#appender = new Appender(parts.store);
  }

  /** Sessions that are open. */
  get sessionCount(): number {
    return this.#sessions.count;
  }

  /** Ends a node's session: it must say hello again. */
  endSession(node: Pick<EnrolledNode, "network" | "node">): void {
    this.#sessions.end(node);
  }

  /**
   * Answers a message; total on any bytes.
   *
   * @param peer the TLS client certificate that the connection was proven with
   */
  async answer(kind: RequestKind, message: Uint8Array, peer: PeerCertificate | undefined): Promise<Answer> {
    try {
      if (kind === "hello") return await this.#greet(message, peer);
      if (kind === "batch") return await this.#takeBatch(message, peer);
      if (kind === "escrow") return await this.#takeEscrow(message, peer);
      return await this.#takeHeartbeat(message, peer);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#parts.log.error("aggregator.storeUnavailable", { code: error.code, error: error.message });
      if (error.code === "full") return this.#refuse({ code: "full", detail: "the store has no room", retryAfterMs: FULL_RETRY_MS });
      return this.#refuse({ code: "unavailable", detail: "the store cannot be reached", retryAfterMs: BUSY_RETRY_MS });
    }
  }

  async #greet(message: Uint8Array, peer: PeerCertificate | undefined): Promise<Answer> {
    const { store, policy, verify, clock } = this.#parts;
    const decoded = decodeHello(message, verify);
    if (!decoded.ok) return this.#refuse({ code: decoded.error, detail: "the hello cannot be taken" });
    const hello = decoded.value;
    if (!policy.knowsNetwork(hello.network)) return this.#refuse({ code: "unknownNetwork", detail: toHex(hello.network) });
    if (!policy.speaksFor(peer?.name, hello)) {
      return this.#refuse({ code: "wrongNode", detail: `the certificate ${peer?.name ?? "(none)"} does not speak for ${hello.node}` });
    }
    const fault = peer && (await this.#judgeCertificate(peer, hello));
    if (fault) return this.#refuse(fault);
    const node = await this.#admit(hello);
    if ("code" in node) return this.#refuse(node);
    const holdings = await store.holdings(node);
    const session = this.#sessions.open({
      node,
      network: hello.network,
      peer,
      extents: hello.lanes,
      holdings: new Map(holdings.map((holding) => [holding.lane, holding])),
    });
    this.counters.hellos++;
    const { creditBytes, intervalMs } = ALLOWANCE;
    const cursors = holdings.map(cursorOf);
    const crit = holdings.find(({ lane }) => lane === "crit");
    const checkpoint = crit && (await store.findCheckpoint(node, "crit", { epoch: crit.epoch, sequence: 1 }));
    const vital = crit && checkpoint ? { vital: { epoch: crit.epoch, note: checkpoint.note } } : {};
    const welcome = {
      session: session.id,
      cursors,
      creditBytes,
      intervalMs,
      timeMs: clock.nowMs(),
      witnessKey: this.#parts.witness.publicKey,
    };
    return { kind: "welcome", message: encodeWelcome({ ...welcome, ...vital, configurationVersion: 0 }) };
  }

  /** Why a certificate does not count although its authority signed it; undefined when it does. */
  async #judgeCertificate(peer: PeerCertificate, hello: Hello): Promise<SyncRefusal | undefined> {
    const { store, policy, clock } = this.#parts;
    if (peer.notAfterMs <= clock.nowMs()) return { code: "wrongNode", detail: "the certificate has expired" };
    if (policy.isEnrolled !== true) return undefined;
    const issued = await store.enrolment.findCertificate(peer.serial);
    if (issued?.network !== toHex(hello.network) || issued.node !== hello.node) {
      return { code: "wrongNode", detail: "the certificate was not issued to this node of this network" };
    }
    return issued.status === "revoked" ? { code: "revoked", detail: `the certificate of ${hello.node} was revoked` } : undefined;
  }

  /** The session of a message, when the message came with the session's certificate and that has not expired. */
  #findSession(id: Uint8Array, peer: PeerCertificate | undefined): Session | undefined {
    const session = this.#sessions.find(id);
    if (!session?.peer) return session;
    if (session.peer.serial !== peer?.serial) return undefined;
    return session.peer.notAfterMs > this.#parts.clock.nowMs() ? session : undefined;
  }

  /** The node as enrolled, with what its hello says of it; or why it is turned away. */
  async #admit(hello: Hello): Promise<EnrolledNode | SyncRefusal> {
    const { store, policy, clock } = this.#parts;
    const ref = { network: toHex(hello.network), node: hello.node };
    const known = await store.findNode(ref);
    if (!known && !policy.isOpen) return { code: "unknownNode", detail: `${hello.node} is not enrolled` };
    if (known?.status === "revoked") return { code: "revoked", detail: `${hello.node} was revoked` };
    const nowMs = clock.nowMs();
    const { identityKey, validatorKey, software, profile } = hello;
    const standing = {
      site: known?.site ?? "",
      status: "enrolled",
      enrolledAtMs: known?.enrolledAtMs ?? nowMs,
      lastHelloAtMs: nowMs,
    } as const;
    const node: EnrolledNode = { ...ref, identityKey, ...(validatorKey && { validatorKey }), software, profile, ...standing };
    const isOther = known !== undefined && !bytesEqual(known.identityKey, identityKey);
    const outcome = isOther ? "otherIdentity" : await store.putNode(node);
    if (outcome === "revoked") return { code: "revoked", detail: `${hello.node} was revoked` };
    if (outcome === "otherIdentity") {
      await this.#note({ ...ref, kind: "badSignature", detail: `a hello of another identity, ${toHex(identityKey)}` });
      return { code: "wrongNode", detail: `${hello.node} has another identity` };
    }
    return node;
  }

  async #takeBatch(message: Uint8Array, peer: PeerCertificate | undefined): Promise<Answer> {
    const decoded = decodeBatch(message);
    if (!decoded.ok) return this.#refuse({ code: "malformed", detail: "no batch" });
    const batch = decoded.value;
    const session = this.#findSession(batch.session, peer);
    if (!session) return this.#refuse({ code: "unknownSession", detail: "say hello" });
    if (session.waiting >= ALLOWANCE.waitingOfSessionMax || this.#waiting >= ALLOWANCE.waitingMax) {
      return this.#refuse({ code: "slowDown", detail: "too much is on its way", retryAfterMs: BUSY_RETRY_MS });
    }
    const before = session.lines.get(batch.lane) ?? Promise.resolve();
    const turn = before.then(
      () => this.#judge(session, batch, message.length),
      () => this.#judge(session, batch, message.length),
    );
    session.lines.set(batch.lane, turn);
    session.waiting++;
    this.#waiting++;
    try {
      return await turn;
    } finally {
      session.waiting--;
      this.#waiting--;
    }
  }

  /** Takes what a node kept for another: judged and stored as if that one had brought it, and witnessed up to its very end. */
  async #takeEscrow(message: Uint8Array, peer: PeerCertificate | undefined): Promise<Answer> {
    const offer = openOffer(message, this.#parts.verify);
    if (!offer.ok) return this.#refuse(offer.error);
    const { parcel, session: id } = offer.value;
    const session = this.#findSession(id, peer);
    if (!session) return this.#refuse({ code: "unknownSession", detail: "say hello" });
    if (session.waiting >= ALLOWANCE.waitingOfSessionMax || this.#waiting >= ALLOWANCE.waitingMax)
      return this.#refuse({ code: "slowDown", detail: "too much is on its way", retryAfterMs: BUSY_RETRY_MS });
    session.waiting++;
    this.#waiting++;
    try {
      const origin = await findOrigin(this.#parts.store, session, parcel);
      if ("code" in origin) return this.#refuse(origin);
      const answer = await this.#judge(origin, { ...parcel, session: id, lane: "crit" }, message.length);
      const { epoch, to, tipHash } = parcel;
      const end = { lane: "crit", epoch, sequence: to, hash: tipHash, peaks: undefined, checkpointed: 0 } as const;
      return answer.kind === "ack" ? this.#acknowledge(origin.node, origin.network, end) : answer;
    } finally {
      session.waiting--;
      this.#waiting--;
    }
  }

  async #judge(session: Session, batch: SyncBatch, wireBytes: number): Promise<Answer> {
    const { node } = session;
    const holding = session.holdings.get(batch.lane);
    const repeated = await this.#judgeRepeat(session, batch, holding);
    if (repeated) return repeated;
    const verdict = judgeBatch(batch, {
      holding,
      identityKey: node.identityKey,
      extent: session.extents.find(({ lane, epoch }) => lane === batch.lane && epoch === batch.epoch),
      networkId: node.network.slice(0, 8),
      node: node.node,
      verify: this.#parts.verify,
    });
    if (!verdict.ok) return this.#refuseBatch(session, batch, verdict.error, holding);
    const { room } = this.#parts;
    const refusal = room && judgeRoom(room.level, batch.lane);
    if (refusal) return this.#refuse(refusal);
    return this.#store(session, batch, holding, verdict.value, wireBytes);
  }

  /** A batch whose last record is held: equal hashes are a success, others another history. */
  async #judgeRepeat({ node, network }: Session, batch: SyncBatch, holding: LaneHolding | undefined): Promise<Answer | undefined> {
    if (!holding || batch.epoch !== holding.epoch || batch.to > holding.sequence) return undefined;
    const held = await this.#parts.store.findHash(node, batch.lane, { epoch: batch.epoch, sequence: batch.to });
    if (held && bytesEqual(held, batch.tipHash)) return this.#acknowledge(node, network, holding);
    const detail = `another record ${batch.to} is held than the one that came`;
    await this.#note({ ...refOf(node), kind: "fork", lane: batch.lane, epoch: batch.epoch, sequence: batch.to, detail });
    return this.#refuse({ code: "fork", detail, cursor: cursorOf(holding) });
  }

  async #refuseBatch(
    { node }: Session,
    batch: SyncBatch,
    fault: Pick<SyncRefusal, "code" | "detail">,
    holding: LaneHolding | undefined,
  ): Promise<Answer> {
    const { code, detail } = fault;
    const cursor = holding
      ? cursorOf(holding)
      : { lane: batch.lane, epoch: batch.epoch, sequence: 0, hash: batch.from === 1 ? batch.previousHash : ZERO };
    if (code !== "gap")
      await this.#note({ ...refOf(node), kind: code, lane: batch.lane, epoch: batch.epoch, sequence: batch.from, detail });
    return this.#refuse(code === "gap" || code === "fork" ? { code, detail, cursor } : { code, detail });
  }

  async #store(
    session: Session,
    batch: SyncBatch,
    before: LaneHolding | undefined,
    verdict: BatchVerdict,
    wireBytes: number,
  ): Promise<Answer> {
    const { node, network } = session;
    const { after, records, checkpoint, remark } = verdict;
    const receivedAtMs = this.#parts.clock.nowMs();
    const events = records.map(({ lane, epoch, sequence, timeMs, type, body, hash }) => ({
      lane,
      epoch,
      sequence,
      timeMs,
      type,
      body,
      hash,
      receivedAtMs,
    }));
    const ref = refOf(node);
    const { quotaBytes = DEFAULT_QUOTA.eventBytes } = this.#parts;
    const outcome = await this.#appender.append({ ref, before, after, events, quotaBytes, ...(checkpoint && { checkpoint }) });
    if (outcome === "full") {
      const refusal = overQuota(batch.lane, node.node);
      await this.#note({ ...ref, kind: "overQuota", lane: batch.lane, epoch: batch.epoch, sequence: batch.from, detail: refusal.detail });
      return this.#refuse(refusal);
    }
    if (outcome === "moved") {
      // Another aggregator over the same store took records of this node meanwhile.
      for (const holding of await this.#parts.store.holdings(node)) session.holdings.set(holding.lane, holding);
      const cursor = session.holdings.get(batch.lane);
      return this.#refuse({ code: "gap", detail: "the lane has moved", ...(cursor && { cursor: cursorOf(cursor) }) });
    }
    session.holdings.set(batch.lane, after);
    this.counters.batches++;
    this.counters.events += events.length;
    this.counters.wireBytes += wireBytes;
    if (remark) await this.#note({ ...ref, ...remark, lane: batch.lane, epoch: batch.epoch, sequence: batch.from });
    this.#parts.onStored?.(ref, events);
    return this.#acknowledge(node, network, after);
  }

  #acknowledge(node: EnrolledNode, network: Uint8Array, holding: LaneHolding): Answer {
    const timeMs = this.#parts.clock.nowMs();
    const cursor = cursorOf(holding);
    const witness = signWitness(this.#parts.witness, network, node.identityKey, cursor, timeMs);
    const { creditBytes, intervalMs } = ALLOWANCE;
    return { kind: "ack", message: encodeAck({ ...cursor, timeMs, creditBytes, intervalMs, witness }) };
  }

  async #takeHeartbeat(message: Uint8Array, peer: PeerCertificate | undefined): Promise<Answer> {
    const id = findHeartbeatSession(message);
    const session = id && this.#findSession(id, peer);
    if (!session) return this.#refuse({ code: id ? "unknownSession" : "malformed", detail: "say hello" });
    if (isBeat(message)) return this.#takeBeat(session, message);
    const { node, network } = session;
    const decoded = decodeHeartbeat(message, { network, identityKey: node.identityKey }, this.#parts.verify);
    if (!decoded.ok) return this.#refuse({ code: decoded.error, detail: "the heartbeat cannot be taken" });
    const heartbeat = decoded.value;
    if (heartbeat.node !== node.node) return this.#refuse({ code: "wrongNode", detail: heartbeat.node });
    const { lastHeartbeat } = session;
    const isOld = lastHeartbeat && bytesEqual(lastHeartbeat.bootId, heartbeat.bootId) && heartbeat.sequence <= lastHeartbeat.sequence;
    if (!isOld) {
      const kept = { ...refOf(node), receivedAtMs: this.#parts.clock.nowMs(), timeMs: heartbeat.timeMs, message };
      session.lastHeartbeat = { bootId: heartbeat.bootId, sequence: heartbeat.sequence, kept };
      await this.#parts.store.putHeartbeat(kept);
      this.counters.heartbeats++;
    }
    return { kind: "noted", message: NOTHING };
  }

  /** The node is as its last heartbeat of this session said: that one counts as said now. */
  async #takeBeat(session: Session, message: Uint8Array): Promise<Answer> {
    const { node, network, lastHeartbeat: last } = session;
    const beat = decodeBeat(message, { network, identityKey: node.identityKey }, this.#parts.verify);
    if (!beat.ok) return this.#refuse({ code: beat.error, detail: "the beat cannot be taken" });
    if (!last) return this.#refuse({ code: "unknownSession", detail: "say how you are" });
    if (beat.value.sequence > last.sequence) {
      const receivedAtMs = this.#parts.clock.nowMs();
      const kept = { ...last.kept, receivedAtMs, timeMs: last.kept.timeMs + receivedAtMs - last.kept.receivedAtMs };
      session.lastHeartbeat = { ...last, sequence: beat.value.sequence, kept };
      await this.#parts.store.putHeartbeat(kept);
      this.counters.heartbeats++;
    }
    return { kind: "noted", message: NOTHING };
  }

  #refuse(refusal: SyncRefusal): Answer {
    this.counters.refuse(refusal.code);
    return { kind: "refusal", message: encodeRefusal(refusal), refusal };
  }

  async #note(finding: Omit<Finding, "atMs">): Promise<void> {
    const key = `${finding.network}/${finding.node}/${finding.kind}/${finding.lane ?? ""}`;
    const nowMs = this.#parts.clock.monotonicMs();
    if (nowMs - (this.#lastFindingMs.get(key) ?? -Infinity) < FINDING_EVERY_MS) return;
    if (this.#lastFindingMs.size >= 10_000) this.#lastFindingMs.clear();
    this.#lastFindingMs.set(key, nowMs);
    this.#parts.log.warn("aggregator.finding", { node: finding.node, kind: finding.kind, lane: finding.lane, detail: finding.detail });
    await this.#parts.store.addFinding({ ...finding, atMs: this.#parts.clock.nowMs() });
  }
}

const ZERO = new Uint8Array(32);

function refOf({ network, node }: EnrolledNode): Pick<EnrolledNode, "network" | "node"> {
  return { network, node };
}

function cursorOf({ lane, epoch, sequence, hash }: LaneHolding): SyncCursor {
  return { lane, epoch, sequence, hash };
}
