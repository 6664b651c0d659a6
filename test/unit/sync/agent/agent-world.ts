import { localSigner, nativeSuite, sha256 } from "../../../../src/crypto/index.ts";
import { type EventLog, type EventLogParts, event, type LaneRecord, linkBodies, sealBlockRecords } from "../../../../src/events/index.ts";
import { bytesEqual, Prng, silentLog, toHex, utf8 } from "../../../../src/kernel/index.ts";
import { openMemoryDatabase } from "../../../../src/storage/index.ts";
import {
  type AckStore,
  AckTable,
  type ForkHandler,
  LinkLost,
  type NodeFacts,
  type Reply,
  SYNC_MIGRATION,
  SyncAgent,
  type SyncCarrier,
  type SyncLink,
} from "../../../../sync/agent/index.ts";
import {
  decodeBatch,
  decodeBeat,
  decodeHeartbeat,
  decodeHello,
  encodeAck,
  encodeRefusal,
  encodeWelcome,
  type Heartbeat,
  type RequestKind,
  type SyncBatch,
  type SyncCursor,
  type SyncLane,
  type SyncRefusal,
  signWitness,
  splitBodies,
  unpackRecords,
} from "../../../../sync/protocol/index.ts";
import { EventBench, identity } from "../../events/event-fixture.ts";

export const network = sha256(utf8("a network"));
const witness = localSigner(sha256(utf8("a witness")));

/** An aggregator as simple as can be: one map, every rule checked, in memory that survives its crashes. */
export class ModelAggregator {
  readonly records = new Map<string, LaneRecord>();
  readonly cursors = new Map<SyncLane, SyncCursor>();
  readonly heartbeats: Heartbeat[] = [];
  beats = 0;
  creditBytes = 1_000_000;
  /** Refuses the next batches with this. */
  refusal: SyncRefusal | undefined;
  /** Changes an acknowledgement before it is sent. */
  distort: (cursor: SyncCursor) => SyncCursor = (cursor) => cursor;
  /** Whether its witness signs what was changed. */
  signsAnything = false;
  intervalMs = 0;
  #sessions = 0;
  #session: Uint8Array | undefined;

  answer(kind: RequestKind, message: Uint8Array): Reply {
    if (kind === "hello") return this.#welcome(message);
    if (kind === "batch") return this.#take(message);
    if (kind === "escrow") return refuse({ code: "unknownNode", detail: "" });
    const heartbeat = decodeHeartbeat(message, { network, identityKey: identity.publicKey }, nativeSuite.verify);
    if (heartbeat.ok) this.heartbeats.push(heartbeat.value);
    else if (decodeBeat(message, { network, identityKey: identity.publicKey }, nativeSuite.verify).ok) this.beats++;
    return { kind: "noted", message: new Uint8Array(0) };
  }

  /** Forgets its sessions, as a process that died. */
  crash(): void {
    this.#session = undefined;
  }

  sequences(lane: SyncLane, epoch = 1): number[] {
    return [...this.records.values()].filter((r) => r.lane === lane && r.epoch === epoch).map((r) => r.sequence);
  }

  #welcome(message: Uint8Array): Reply {
    const hello = decodeHello(message, nativeSuite.verify);
    if (!hello.ok) return refuse({ code: hello.error, detail: "" });
    this.#session = sha256(utf8(`session ${++this.#sessions}`)).subarray(0, 16);
    const allowance = { creditBytes: this.creditBytes, intervalMs: this.intervalMs };
    const welcome = {
      session: this.#session,
      cursors: [...this.cursors.values()],
      timeMs: 1,
      witnessKey: witness.publicKey,
      configurationVersion: 0,
    };
    return { kind: "welcome", message: encodeWelcome({ ...welcome, ...allowance }) };
  }

  #take(message: Uint8Array): Reply {
    const decoded = decodeBatch(message);
    if (!decoded.ok) return refuse({ code: "malformed", detail: "" });
    const batch = decoded.value;
    if (!this.#session || !bytesEqual(batch.session, this.#session)) return refuse({ code: "unknownSession", detail: "" });
    if (this.refusal) return refuse(this.refusal);
    const cursor = this.cursors.get(batch.lane);
    if (cursor && batch.epoch === cursor.epoch && batch.to === cursor.sequence && !bytesEqual(batch.tipHash, cursor.hash))
      return refuse({ code: "fork", detail: "", cursor });
    if (cursor && batch.epoch === cursor.epoch && batch.to <= cursor.sequence) return this.#acknowledge(cursor);
    if (cursor && batch.epoch === cursor.epoch && batch.from !== cursor.sequence + 1) return refuse({ code: "gap", detail: "", cursor });
    if (cursor && batch.epoch === cursor.epoch && !bytesEqual(batch.previousHash, cursor.hash))
      return refuse({ code: "fork", detail: "", cursor });
    const records = recordsOf(batch);
    if (!records) return refuse({ code: "brokenChain", detail: "" });
    for (const record of records) {
      const key = `${record.lane}/${record.epoch}/${record.sequence}`;
      if (this.records.has(key)) throw new Error(`${key} was stored twice`);
      this.records.set(key, record);
    }
    const stored = { lane: batch.lane, epoch: batch.epoch, sequence: batch.to, hash: batch.tipHash };
    this.cursors.set(batch.lane, stored);
    return this.#acknowledge(stored);
  }

  #acknowledge(stored: SyncCursor): Reply {
    const said = this.distort(stored);
    const signature = signWitness(witness, network, identity.publicKey, this.signsAnything ? said : stored, 9);
    const allowance = { creditBytes: this.creditBytes, intervalMs: this.intervalMs };
    return { kind: "ack", message: encodeAck({ ...said, ...allowance, timeMs: 9, witness: signature }) };
  }
}

function refuse(refusal: SyncRefusal): Reply {
  return { kind: "refusal", message: encodeRefusal(refusal) };
}

function recordsOf(batch: SyncBatch): readonly LaneRecord[] | undefined {
  const plain = unpackRecords(batch.records, batch.codec, batch.plainBytes);
  const bodies = plain.ok ? splitBodies(plain.value, batch.to - batch.from + 1) : plain;
  if (!bodies.ok) return undefined;
  const linked = linkBodies(batch.lane, { epoch: batch.epoch, sequence: batch.from }, batch.previousHash, bodies.value);
  if (!linked.ok) return undefined;
  return bytesEqual(linked.value.at(-1)?.hash ?? new Uint8Array(0), batch.tipHash) ? linked.value : undefined;
}

/** How bad the way to the aggregator is, each out of 100. */
export type Weather = { readonly lostRequest: number; readonly lostAnswer: number; readonly noWay: number; readonly silence: number };

export const CLEAR: Weather = { lostRequest: 0, lostAnswer: 0, noWay: 0, silence: 0 };

/** What answers a node. */
export interface Answerer {
  answer(kind: RequestKind, message: Uint8Array): Reply | Promise<Reply>;
}

/** A way to an aggregator that loses what it likes. Answers come in the next turn. */
export class WeatherCarrier implements SyncCarrier {
  readonly url = "model://aggregator";
  readonly aggregator: Answerer;
  weather: Weather = CLEAR;
  opened = 0;
  requests = 0;
  isOrdered = true;
  readonly #prng: Prng;

  constructor(aggregator: Answerer, prng: Prng) {
    this.aggregator = aggregator;
    this.#prng = prng;
  }

  async open(onLost: (reason: string) => void): Promise<SyncLink> {
    await Promise.resolve();
    if (this.#happens("noWay")) throw new LinkLost("no way");
    this.opened++;
    let isOpen = true;
    const lose = (): never => {
      if (isOpen) onLost("rain");
      isOpen = false;
      throw new LinkLost("rain");
    };
    return {
      isOrdered: this.isOrdered,
      traffic: { sentBytes: 0, receivedBytes: 0 },
      request: async (kind, message) => {
        this.requests++;
        await Promise.resolve();
        if (!isOpen) throw new LinkLost("closed");
        if (this.#happens("lostRequest")) return lose();
        const answer = await this.aggregator.answer(kind, message);
        await Promise.resolve();
        if (this.#happens("silence")) return new Promise<Reply>(() => {});
        return this.#happens("lostAnswer") || !isOpen ? lose() : answer;
      },
      close: () => {
        isOpen = false;
      },
    };
  }

  #happens(what: keyof Weather): boolean {
    return this.#prng.below(100) < this.weather[what];
  }
}

/** An event log, an agent on it, the way and the model aggregator. */
export class AgentWorld {
  readonly bench = new EventBench();
  readonly aggregator = new ModelAggregator();
  readonly carrier: WeatherCarrier;
  readonly acks = new AckTable(openMemoryDatabase({ applicationId: 2, migrations: [SYNC_MIGRATION] }));
  readonly forks: { readonly lane: SyncLane; readonly verdict: string }[] = [];
  onFork: ForkHandler["onFork"] = () => false;
  /** What the node says of itself. */
  saying: ReturnType<NodeFacts["heartbeat"]> = {
    height: 1,
    epoch: 0,
    view: 1,
    state: "voting",
    isReady: true,
    reason: "",
    peers: 0,
    metrics: [],
  };
  log: EventLog;
  agent: SyncAgent | undefined;
  readonly #prng: Prng;
  #height = 0;

  /** @param answerer stands for the model aggregator */
  constructor(seed = 1, answerer?: Answerer) {
    this.#prng = new Prng(seed);
    this.carrier = new WeatherCarrier(answerer ?? this.aggregator, this.#prng);
    this.log = this.open();
  }

  /** Opens the event log under the network's own name. */
  open(change: Partial<EventLogParts> = {}): EventLog {
    return this.bench.open({ network: toHex(network).slice(0, 8), ...change });
  }

  start(acks: AckStore = this.acks): SyncAgent {
    const { time } = this.bench;
    this.agent = new SyncAgent({
      source: this.log,
      carrier: this.carrier,
      acks,
      identity,
      suite: nativeSuite,
      clock: time,
      timers: time,
      entropy: { bytes: (count) => sha256(utf8(`boot ${this.#prng.uint32()}`)).subarray(0, count) },
      prng: this.#prng,
      log: silentLog,
      profile: "unmetered",
      facts: {
        hello: () => ({ node: "box-1", network, software: "test" }),
        heartbeat: () => this.saying,
      },
      forks: {
        onFork: (lane, cursor, verdict) => {
          this.forks.push({ lane, verdict });
          return this.onFork(lane, cursor, verdict);
        },
      },
    });
    this.agent.start();
    return this.agent;
  }

  /** Adds events to a lane. */
  add(lane: SyncLane, count = 1): void {
    for (let i = 0; i < count; i++) {
      if (lane === "crit") this.log.appendCrit(event("alert.raised", { alert: "a", severity: "warning", detail: `number ${i}` }));
      else if (lane === "ops") this.log.appendOps(event("service.stopped", { service: "node", reason: `number ${i}` }));
      else this.#addBlock();
    }
  }

  /** Lets promises run and time pass, in small steps. */
  async pass(durationMs: number, stepMs = 100): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += stepMs) {
      this.bench.time.pass(stepMs);
      for (let i = 0; i < 150; i++) await Promise.resolve();
    }
  }

  #addBlock(): void {
    const validatorSet = { validators: [], totalWeight: 0n, hash: network } as never;
    const facts = {
      height: ++this.#height,
      hash: sha256(utf8(`block ${this.#height}`)), // as hard to compress as a real one
      epoch: 0,
      view: this.#height,
      timeMs: this.bench.time.nowMs(),
      executed: 0,
      failed: 0,
      skipped: 0,
      fees: 0n,
    };
    const records = sealBlockRecords(this.log.tip("chain"), { ...facts, convictions: [], validatorSet, nextValidatorSet: undefined });
    this.bench.chain.records.push(...records);
    this.log.onChainCommitted(records);
  }
}
