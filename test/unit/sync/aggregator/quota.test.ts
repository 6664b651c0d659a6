import { expect, test } from "bun:test";
import { event, LaneTable, OPS_APPLICATION_ID, OPS_MIGRATION } from "../../../../src/events/index.ts";
import { openMemoryDatabase } from "../../../../src/storage/index.ts";
import { SYNC_LANES, type SyncLane } from "../../../../sync/protocol/index.ts";
import { AgentWorld, CLEAR } from "../agent/agent-world.ts";
import { REF, RealAggregator } from "./ingest-world.ts";

/** What `ops` waits at most before it is tried again, and a while for all of it to come. */
const LONGEST_WAIT_MS = 3_900_000;

const countTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** A node at an aggregator that lets it store so much. */
class QuotaWorld {
  readonly aggregator: RealAggregator;
  readonly world: AgentWorld;

  constructor(seed: number, quotaBytes: number) {
    const time = { nowMs: () => this.world.bench.time.nowMs(), monotonicMs: () => this.world.bench.time.nowMs() };
    this.aggregator = new RealAggregator(time);
    this.aggregator.quotaBytes = quotaBytes;
    this.aggregator.crash();
    this.world = new AgentWorld(seed, this.aggregator);
  }

  async sequences(lane: SyncLane): Promise<number[]> {
    return (await this.aggregator.store.readEvents(REF, lane, { epoch: 1, sequence: 0 }, 100_000)).map(({ sequence }) => sequence);
  }

  async usedBytes(): Promise<number> {
    return (await this.aggregator.store.usage(REF)).lanes.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

test("quota: ops over it waits and is told, crit and chain go on, nothing is acknowledged that is not stored", async () => {
  const quota = new QuotaWorld(1, 120_000);
  const { world, aggregator } = quota;
  const agent = world.start();
  for (let round = 0; round < 20; round++) {
    world.add("ops", 100);
    await world.pass(5_000, 500);
  }
  const stored = await quota.sequences("ops");
  expect(stored.length).toBeLessThan(2_000);
  expect(stored).toEqual(countTo(agent.acknowledged("ops")?.sequence ?? 0));
  expect(await quota.usedBytes()).toBeWithin(90_000, 120_001);
  const lane = agent.status().lanes.find(({ lane: name }) => name === "ops");
  expect(lane).toMatchObject({ isHeld: false, full: expect.stringContaining("quota") });
  expect(agent.status().isUp).toBe(true);
  expect(await aggregator.store.listFindings(REF, 5)).toMatchObject([{ kind: "overQuota", lane: "ops" }]);
  expect(aggregator.ingest.counters.refused("full")).toBeGreaterThan(0);
  for (const vital of ["crit", "chain"] as const) world.add(vital, 20);
  await world.pass(10_000, 500);
  for (const vital of ["crit", "chain"] as const) expect(await quota.sequences(vital)).toEqual(countTo(world.log.tip(vital).sequence));
  expect(
    agent
      .status()
      .lanes.filter(({ full }) => full !== undefined)
      .map(({ lane: name }) => name),
  ).toEqual(["ops"]);
});

test("quota: each lane ends at its limit, crit last; raised, everything that waited comes, once and in order", async () => {
  const quota = new QuotaWorld(2, 60_000);
  const { world, aggregator } = quota;
  const agent = world.start();
  for (let round = 0; round < 30; round++) {
    for (const lane of SYNC_LANES) world.add(lane, 30);
    await world.pass(5_000, 500);
  }
  expect(await quota.usedBytes()).toBeWithin(80_000, 90_001);
  expect((await aggregator.store.listFindings(REF, 5)).map(({ kind }) => kind)).toContain("overQuota");
  expect(agent.status().lanes.every(({ full }) => full !== undefined)).toBe(true);
  for (const lane of SYNC_LANES) {
    expect(world.log.tip(lane).sequence).toBeGreaterThanOrEqual(900);
    expect(await quota.sequences(lane)).toEqual(countTo(agent.acknowledged(lane)?.sequence ?? 0));
  }
  await aggregator.store.setQuota(REF, { eventBytes: 10_000_000 });
  await world.pass(LONGEST_WAIT_MS, 1_000);
  for (const lane of SYNC_LANES) expect(await quota.sequences(lane)).toEqual(countTo(world.log.tip(lane).sequence));
  expect(agent.status()).toMatchObject({ unacknowledgedMs: 0 });
  expect(agent.status().lanes.some(({ full }) => full !== undefined)).toBe(false);
}, 60_000);

test("quota: weather and crashes at the quota, what is stored is what was acknowledged, once, and within the limit", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    const quota = new QuotaWorld(seed, 40_000);
    const { world, aggregator } = quota;
    world.carrier.isOrdered = seed % 2 === 0;
    world.carrier.weather = { lostRequest: 10, lostAnswer: 10, noWay: 15, silence: 0 };
    world.start();
    for (let round = 0; round < 30; round++) {
      for (const lane of SYNC_LANES) world.add(lane, 15);
      if (round % 7 === 3) aggregator.crash();
      if (round % 13 === 5) {
        world.agent?.stop();
        world.start();
      }
      await world.pass(6_000, 500);
    }
    expect(await quota.usedBytes()).toBeLessThanOrEqual(60_000);
    for (const lane of SYNC_LANES) {
      const stored = await quota.sequences(lane);
      expect(stored).toEqual(countTo(stored.length));
      expect(world.agent?.acknowledged(lane)?.sequence ?? 0).toBeLessThanOrEqual(stored.length);
    }
    world.carrier.weather = CLEAR;
    await aggregator.store.setQuota(REF, { eventBytes: 10_000_000 });
    await world.pass(LONGEST_WAIT_MS, 1_000);
    for (const lane of SYNC_LANES)
      expect([seed, lane, await quota.sequences(lane)]).toEqual([seed, lane, countTo(world.log.tip(lane).sequence)]);
    expect((await aggregator.store.listFindings(REF, 50)).filter(({ kind }) => kind !== "overQuota")).toEqual([]);
  }
}, 120_000);

test("quota: a store without room costs the link a small batch an hour, not its backlog each time", async () => {
  const quota = new QuotaWorld(3, 1_000);
  const { world, aggregator } = quota;
  const batches: number[] = [];
  const answer = aggregator.answer.bind(aggregator);
  aggregator.answer = (kind, message) => {
    if (kind === "batch") batches.push(message.length);
    return answer(kind, message);
  };
  world.start();
  world.add("ops", 3_000);
  await world.pass(60_000, 1_000);
  const first = batches.splice(0);
  expect(first.length).toBeWithin(1, 5);
  await world.pass(3 * 3_600_000, 5_000);
  expect(batches.length).toBeWithin(2, 4);
  expect(Math.max(...batches)).toBeLessThan(4_096);
}, 60_000);

test("quota: the disk low, ops waits; nearly full, everything waits; room again, all of it comes", async () => {
  const quota = new QuotaWorld(4, 10_000_000);
  const { world, aggregator } = quota;
  const agent = world.start();
  aggregator.level = "low";
  for (const lane of SYNC_LANES) world.add(lane, 10);
  await world.pass(10_000, 500);
  const heldNow = async (): Promise<number[]> => Promise.all(SYNC_LANES.map(async (lane) => (await quota.sequences(lane)).length));
  expect(await heldNow()).toEqual([10, 10, 0]);
  aggregator.level = "critical";
  world.add("crit", 5);
  await world.pass(10_000, 500);
  expect(await heldNow()).toEqual([10, 10, 0]);
  expect(agent.status().isUp).toBe(true);
  aggregator.level = "ample";
  await world.pass(130_000, 1_000);
  expect(await heldNow()).toEqual([15, 10, 10]);
});

test("quota: the same batch again after its answer was lost, counted once, and acknowledged even where nothing more is taken", async () => {
  const quota = new QuotaWorld(5, 30_000);
  const { world, aggregator } = quota;
  world.start();
  world.add("ops", 100);
  await world.pass(5_000, 500);
  const used = await quota.usedBytes();
  expect(used).toBeGreaterThan(0);
  aggregator.quotaBytes = 1;
  for (let round = 0; round < 5; round++) {
    aggregator.crash(); // the last record is sent once more at each welcome
    world.agent?.stop();
    world.start();
    await world.pass(5_000, 500);
  }
  expect(await quota.usedBytes()).toBe(used);
  expect(world.agent?.status().lanes.some(({ full }) => full !== undefined)).toBe(false);
});

test("quota: records that the node let go while they waited, taken behind the gap once there is room, after one more hello", async () => {
  const quota = new QuotaWorld(6, 20_000);
  const { world, aggregator } = quota;
  const ops = new LaneTable(openMemoryDatabase({ applicationId: OPS_APPLICATION_ID, migrations: [OPS_MIGRATION] }), "ops");
  world.log = world.open({ ops, opsTuning: { flushAfterMs: 100, flushEventsMax: 16, waitingEventsMax: 64, quotaBytes: 40_000 } });
  world.start();
  for (let i = 0; i < 60; i++) {
    for (let j = 0; j < 50; j++) world.log.appendOps(event("service.stopped", { service: "node", reason: `stop ${i} ${j}` }));
    await world.pass(2_000, 500);
  }
  const before = await quota.sequences("ops");
  expect(before).toEqual(countTo(before.length));
  await aggregator.store.setQuota(REF, { eventBytes: 10_000_000 });
  const { requests, opened } = world.carrier;
  await world.pass(LONGEST_WAIT_MS, 1_000);
  const held = await quota.sequences("ops");
  expect(held.at(-1)).toBe(world.log.tip("ops").sequence);
  expect(held.length).toBeLessThan(held.at(-1) ?? 0);
  expect(world.carrier.requests - requests).toBeLessThan(400);
  expect(world.carrier.opened - opened).toBeLessThan(3);
  expect((await aggregator.store.listFindings(REF, 9)).map(({ kind }) => kind)).toContain("gap");
}, 60_000);
