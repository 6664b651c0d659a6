import { expect, test } from "bun:test";
import { event, LaneTable, OPS_APPLICATION_ID, OPS_MIGRATION } from "../../../../src/events/index.ts";
import { openMemoryDatabase } from "../../../../src/storage/index.ts";
import { decodeRefusal, isBeat, SYNC_LANES, type SyncLane } from "../../../../sync/protocol/index.ts";
import { AgentWorld, CLEAR } from "../agent/agent-world.ts";
import { REF, RealAggregator } from "./ingest-world.ts";

const countTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

async function sequencesOf(aggregator: RealAggregator, lane: SyncLane): Promise<number[]> {
  const events = await aggregator.store.readEvents(REF, lane, { epoch: 1, sequence: 0 }, 100_000);
  return events.map(({ sequence }) => sequence);
}

/** A world whose agent speaks to the real ingest. */
function worldOf(seed: number): { readonly world: AgentWorld; readonly aggregator: RealAggregator } {
  const time = { nowMs: () => world.bench.time.nowMs(), monotonicMs: () => world.bench.time.nowMs() };
  const aggregator = new RealAggregator(time);
  const world: AgentWorld = new AgentWorld(seed, aggregator);
  return { world, aggregator };
}

test("ingest: three lanes of a node, each held whole with its verified checkpoints", async () => {
  const { world, aggregator } = worldOf(1);
  world.start();
  for (let round = 0; round < 5; round++) {
    for (const lane of SYNC_LANES) world.add(lane, 300);
    await world.pass(70_000, 1_000);
  }
  for (const lane of SYNC_LANES) {
    const tip = world.log.tip(lane);
    expect(await sequencesOf(aggregator, lane)).toEqual(countTo(tip.sequence));
    const holding = (await aggregator.store.holdings(REF)).find((held) => held.lane === lane);
    expect(holding).toMatchObject({ sequence: tip.sequence, hash: tip.hash });
    expect(holding?.checkpointed).toBeGreaterThanOrEqual(1_000);
    expect(await aggregator.store.findCheckpoint(REF, lane, { epoch: 1, sequence: 900 })).toMatchObject({ size: holding?.checkpointed });
  }
  expect(await aggregator.store.listFindings(REF, 10)).toEqual([]);
  expect(aggregator.stored).toHaveLength(4_500);
});

test("ingest: any weather and crashes, every record once and in order, no finding", async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const { world, aggregator } = worldOf(seed);
    world.carrier.isOrdered = seed % 2 === 0;
    world.start();
    world.carrier.weather = { lostRequest: 8, lostAnswer: 8, noWay: 15, silence: 0 };
    for (let round = 0; round < 40; round++) {
      world.add("crit", round % 3);
      world.add("chain", 7);
      world.add("ops", (seed * round) % 40);
      if (round % 11 === 0) aggregator.crash();
      if (round % 19 === 0) {
        world.agent?.stop();
        world.start();
      }
      await world.pass(4_000, 500);
    }
    world.carrier.weather = CLEAR;
    await world.pass(900_000, 2_000);
    for (const lane of SYNC_LANES)
      expect([seed, lane, await sequencesOf(aggregator, lane)]).toEqual([seed, lane, countTo(world.log.tip(lane).sequence)]);
    expect(await aggregator.store.listFindings(REF, 10)).toEqual([]);
    expect(world.forks).toEqual([]);
  }
}, 120_000);

test("ingest: records let go before they came, taken behind the gap and told", async () => {
  const { world, aggregator } = worldOf(3);
  world.carrier.weather = { ...CLEAR, noWay: 100 };
  const database = openMemoryDatabase({ applicationId: OPS_APPLICATION_ID, migrations: [OPS_MIGRATION] });
  const ops = new LaneTable(database, "ops");
  world.log = world.open({ ops, opsTuning: { flushAfterMs: 100, flushEventsMax: 16, waitingEventsMax: 64, quotaBytes: 40_000 } });
  world.start();
  for (let i = 0; i < 60; i++) {
    for (let j = 0; j < 50; j++) world.log.appendOps(event("service.stopped", { service: "node", reason: `stop ${i} ${j}` }));
    await world.pass(1_000);
  }
  world.carrier.weather = CLEAR;
  await world.pass(400_000, 1_000);
  const held = await sequencesOf(aggregator, "ops");
  expect(held.at(-1)).toBe(world.log.tip("ops").sequence);
  expect(held[0]).toBeGreaterThan(1);
  expect(await aggregator.store.listFindings(REF, 10)).toMatchObject([{ kind: "gap", lane: "ops" }]);
});

test("ingest: another history of a lane, refused as fork, told, and nothing held is touched", async () => {
  const { world, aggregator } = worldOf(4);
  world.start();
  world.add("crit", 6);
  await world.pass(3_000);
  world.agent?.stop();
  const before = await aggregator.store.readEvents(REF, "crit", { epoch: 1, sequence: 0 }, 100);

  const { world: clone } = worldOf(4);
  Object.assign(clone.carrier, { aggregator });
  await clone.pass(700);
  clone.add("crit", 9);
  clone.start();
  await clone.pass(5_000);
  expect(clone.forks).toEqual([{ lane: "crit", verdict: "fork" }]);
  expect(await aggregator.store.readEvents(REF, "crit", { epoch: 1, sequence: 0 }, 100)).toEqual(before);
});

test("ingest: unknown networks, closed doors and other identities, each its code", async () => {
  const { world } = worldOf(5);
  const cases = [
    { policy: { knowsNetwork: () => false }, code: "unknownNetwork" },
    { policy: { speaksFor: () => false }, code: "wrongNode" },
    { policy: { isOpen: false }, code: "unknownNode" },
  ] as const;
  for (const { policy, code } of cases) {
    const aggregator = new RealAggregator(world.bench.time, undefined, policy);
    const refused = new AgentWorld(5, aggregator);
    const agent = refused.start();
    await refused.pass(2_000);
    expect(agent.status().reason).toStartWith(code);
  }
});

test("ingest: a batch of an unknown session or of no sense, refused and nothing kept", async () => {
  const aggregator = new RealAggregator(new AgentWorld().bench.time);
  const answer = await aggregator.answer("batch", new Uint8Array([1, 2, 3]));
  const refusal = decodeRefusal(answer.message);
  expect(refusal.ok && refusal.value.code).toBe("malformed");
  expect(aggregator.ingest.counters.refused("malformed")).toBe(1);
});

test("ingest: beats, the last heartbeat counts as said again; without one, forged or old, refused or no news", async () => {
  const { world, aggregator } = worldOf(6);
  const told: { readonly message: Uint8Array }[] = [];
  const answer = aggregator.answer.bind(aggregator);
  aggregator.answer = (kind, message) => {
    if (kind === "heartbeat") told.push({ message });
    return answer(kind, message);
  };
  world.start();
  await world.pass(2_000);
  const first = await aggregator.store.latestHeartbeats([REF]);
  await world.pass(80_000, 1_000);
  const second = await aggregator.store.latestHeartbeats([REF]);
  expect(told.map(({ message }) => isBeat(message))).toEqual([false, true, true]);
  expect(second[0]?.message).toEqual(first[0]?.message ?? new Uint8Array(0));
  expect(second[0]?.receivedAtMs).toBeWithin((first[0]?.receivedAtMs ?? 0) + 79_000, (first[0]?.receivedAtMs ?? 0) + 82_000);
  expect((second[0]?.receivedAtMs ?? 0) - (second[0]?.timeMs ?? 0)).toBe((first[0]?.receivedAtMs ?? 0) - (first[0]?.timeMs ?? 0));

  const last = told.at(-1)?.message ?? new Uint8Array(0);
  const codeOf = async (message: Uint8Array): Promise<string> => {
    const reply = await aggregator.answer("heartbeat", message);
    const refusal = reply.kind === "refusal" ? decodeRefusal(reply.message) : undefined;
    return refusal?.ok ? refusal.value.code : reply.kind;
  };
  await world.pass(5_000);
  expect(await codeOf(last)).toBe("noted"); // once more: no news
  expect(await aggregator.store.latestHeartbeats([REF])).toEqual(second);
  expect(await codeOf(last.map((byte, at) => (at === last.length - 1 ? byte ^ 1 : byte)))).toBe("badSignature");
  aggregator.crash();
  expect(await codeOf(last)).toBe("unknownSession");
});
