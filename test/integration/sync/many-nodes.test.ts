import { expect, test } from "bun:test";
import { localSigner, nativeSuite, type Signer, sha256 } from "../../../src/crypto/index.ts";
import { EMPTY_LANE, event, type LaneRecord, type LaneTip, sealRecord, tipOf } from "../../../src/events/index.ts";
import { ok, Prng, silentLog, toHex, utf8 } from "../../../src/kernel/index.ts";
import { type EventSource, type KeptAck, SyncAgent } from "../../../sync/agent/index.ts";
import { type AggregatorStore, type Appendage, StoreUnavailable } from "../../../sync/aggregator/index.ts";
import type { SyncLane } from "../../../sync/protocol/index.ts";
import { ManualTime } from "../../unit/events/event-fixture.ts";
import { CLEAR, network, WeatherCarrier } from "../../unit/sync/agent/agent-world.ts";
import { memoryStore, RealAggregator } from "../../unit/sync/aggregator/ingest-world.ts";

/** An event log in arrays. */
class ArraySource implements EventSource {
  readonly #lanes: Record<SyncLane, LaneRecord[]> = { crit: [], chain: [], ops: [] };
  readonly #listeners = new Set<(lane: SyncLane, tip: LaneTip) => void>();

  tip(lane: SyncLane): LaneTip {
    const last = this.#lanes[lane].at(-1);
    return last ? tipOf(last) : EMPTY_LANE;
  }

  read(lane: SyncLane, { sequence }: { readonly sequence: number }, limit: number) {
    return ok(this.#lanes[lane].slice(sequence, sequence + limit));
  }

  checkpoint(): undefined {
    return undefined;
  }

  subscribe(listener: (lane: SyncLane, tip: LaneTip) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  add(lane: SyncLane, timeMs: number, detail: string): void {
    const record = sealRecord(lane, this.tip(lane), timeMs, event("alert.raised", { alert: "a", severity: "warning", detail }));
    this.#lanes[lane].push(record);
    for (const listener of this.#listeners) listener(lane, tipOf(record));
  }
}

/** A node of many: its log, its agent, its way. */
class Box {
  readonly name: string;
  readonly source = new ArraySource();
  readonly carrier: WeatherCarrier;
  readonly agent: SyncAgent;
  readonly #acks = new Map<SyncLane, KeptAck>();

  constructor(number: number, aggregator: RealAggregator, time: ManualTime, prng: Prng) {
    this.name = `box-${number}`;
    this.carrier = new WeatherCarrier(aggregator, prng);
    const identity: Signer = localSigner(sha256(utf8(this.name)));
    this.agent = new SyncAgent({
      source: this.source,
      carrier: this.carrier,
      acks: { list: () => [...this.#acks.values()], put: (_url, ack) => void this.#acks.set(ack.lane, ack) },
      identity,
      suite: nativeSuite,
      clock: time,
      timers: time,
      entropy: { bytes: (count) => sha256(utf8(this.name)).subarray(0, count) },
      prng: new Prng(number),
      log: silentLog,
      profile: "unmetered",
      facts: {
        hello: () => ({ node: this.name, network, software: "test" }),
        heartbeat: () => ({ height: 1, epoch: 0, view: 1, state: "voting", isReady: true, reason: "", peers: 0, metrics: [] }),
      },
      forks: { onFork: () => false },
    });
  }
}

/** Boxes of one aggregator under one clock. */
class Fleet {
  readonly time = new ManualTime();
  readonly aggregator: RealAggregator;
  readonly boxes: readonly Box[];

  constructor(count: number, store: AggregatorStore = memoryStore()) {
    this.aggregator = new RealAggregator(this.time, store);
    const prng = new Prng(11);
    this.boxes = Array.from({ length: count }, (_, number) => new Box(number, this.aggregator, this.time, prng));
    for (const { agent } of this.boxes) agent.start();
  }

  addToAll(lane: SyncLane, count: number): void {
    for (const { source, name } of this.boxes) for (let i = 0; i < count; i++) source.add(lane, this.time.nowMs(), `${name} ${i}`);
  }

  async pass(durationMs: number, stepMs: number): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += stepMs) {
      this.time.pass(stepMs);
      for (let i = 0; i < 120; i++) await Promise.resolve();
    }
  }

  /** Boxes whose lane is not held whole and acknowledged. */
  async behind(lane: SyncLane): Promise<string[]> {
    const behind: string[] = [];
    for (const { name, source, agent } of this.boxes) {
      const held = await this.aggregator.store.readEvents({ network: toHex(network), node: name }, lane, { epoch: 1, sequence: 0 }, 10_000);
      const isWhole = held.length === source.tip(lane).sequence && held.every(({ sequence }, at) => sequence === at + 1);
      if (!isWhole || agent.acknowledged(lane)?.sequence !== source.tip(lane).sequence) behind.push(name);
    }
    return behind;
  }
}

test("fleet: a day without a way and 1,000 boxes back at once, nothing lost, nothing twice", async () => {
  const fleet = new Fleet(1_000);
  fleet.addToAll("crit", 2);
  await fleet.pass(10_000, 500);
  expect(await fleet.behind("crit")).toEqual([]);
  for (const { carrier } of fleet.boxes) carrier.weather = { ...CLEAR, noWay: 100, lostRequest: 100 };
  for (let hour = 0; hour < 24; hour++) {
    fleet.addToAll("crit", 1);
    await fleet.pass(3_600_000, 600_000);
  }
  fleet.aggregator.crash();
  for (const { carrier } of fleet.boxes) carrier.weather = CLEAR;
  await fleet.pass(400_000, 5_000); // the longest back-off is five minutes
  expect(await fleet.behind("crit")).toEqual([]);
  expect(fleet.aggregator.ingest.counters.events).toBe(24_000);
  expect(fleet.aggregator.ingest.counters.refused("slowDown")).toBe(0);
}, 240_000);

test("fleet: the aggregator's disk is full for an hour, boxes wait and nothing acknowledged is touched", async () => {
  const inner = memoryStore();
  let isFull = false;
  const store: AggregatorStore = new Proxy(inner, {
    get(target, name: keyof AggregatorStore) {
      if (name === "append" && isFull) {
        return async (_appendages: readonly Appendage[]) => {
          throw new StoreUnavailable("full", "no room");
        };
      }
      const member = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const fleet = new Fleet(20, store);
  fleet.addToAll("chain", 50);
  await fleet.pass(10_000, 500);
  isFull = true;
  fleet.addToAll("chain", 30);
  await fleet.pass(3_600_000, 10_000);
  expect(await fleet.behind("chain")).toHaveLength(20);
  expect(fleet.boxes.every(({ agent }) => agent.acknowledged("chain")?.sequence === 50)).toBe(true);
  expect(fleet.aggregator.ingest.counters.refused("full")).toBeWithin(20, 20 * 70);
  isFull = false;
  await fleet.pass(120_000, 2_000);
  expect(await fleet.behind("chain")).toEqual([]);
}, 240_000);

test("fleet: wall clocks jump by years both ways, events go on in order", async () => {
  const fleet = new Fleet(3);
  const year = 31_536_000_000;
  for (const jump of [year, -2 * year, 5 * year, 0]) {
    const real = fleet.time.nowMs.bind(fleet.time);
    fleet.time.nowMs = () => real() + jump;
    fleet.addToAll("crit", 4);
    await fleet.pass(5_000, 250);
    fleet.time.nowMs = real;
  }
  expect(await fleet.behind("crit")).toEqual([]);
  for (const { agent } of fleet.boxes) expect(agent.status().unacknowledgedMs).toBe(0);
});
