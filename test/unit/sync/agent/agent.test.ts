import { expect, test } from "bun:test";
import { event } from "../../../../src/events/index.ts";
import { SYNC_LANES } from "../../../../sync/protocol/index.ts";
import { AgentWorld, CLEAR } from "./agent-world.ts";

const countTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test("sync agent: events of all lanes, each lane held whole and acknowledged", async () => {
  const world = new AgentWorld();
  const agent = world.start();
  for (const lane of SYNC_LANES) world.add(lane, 1_234);
  await world.pass(10_000);
  for (const lane of SYNC_LANES) {
    expect(world.aggregator.sequences(lane)).toEqual(countTo(world.log.tip(lane).sequence));
    expect(agent.acknowledged(lane)?.sequence).toBe(world.log.tip(lane).sequence);
  }
  expect(agent.status()).toMatchObject({ isUp: true, unacknowledgedMs: 0 });
});

test("sync agent: a restart of the node, goes on after what was acknowledged", async () => {
  const world = new AgentWorld();
  world.start();
  world.add("crit", 10);
  await world.pass(2_000);
  world.agent?.stop();
  world.add("crit", 5);
  const requests = world.carrier.requests;
  const agent = world.start();
  expect(agent.acknowledged("crit")?.sequence).toBe(10);
  await world.pass(3_000);
  expect(world.aggregator.sequences("crit")).toEqual(countTo(15));
  expect(world.carrier.requests - requests).toBe(3);
});

test("sync agent: no way for a day, nothing lost, the age of the oldest event told", async () => {
  const world = new AgentWorld();
  world.carrier.weather = { ...CLEAR, noWay: 100 };
  const agent = world.start();
  world.add("crit");
  for (let hour = 0; hour < 24; hour++) {
    world.add("chain", 20);
    await world.pass(3_600_000, 60_000);
  }
  expect(agent.status()).toMatchObject({ isUp: false, reason: "no way" });
  expect(agent.status().unacknowledgedMs).toBeWithin(24 * 3_600_000, 24 * 3_600_000 + 1_000);
  world.carrier.weather = CLEAR;
  await world.pass(600_000, 1_000);
  expect(world.aggregator.sequences("chain")).toEqual(countTo(480));
  expect(agent.status()).toMatchObject({ isUp: true, unacknowledgedMs: 0 });
});

test("sync agent: any weather and crashes of the aggregator, every record once and in order", async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const world = new AgentWorld(seed);
    world.carrier.isOrdered = seed % 3 !== 0;
    world.aggregator.creditBytes = seed % 2 === 0 ? 3_000 : 1_000_000;
    world.start();
    world.carrier.weather = { lostRequest: 8, lostAnswer: 8, noWay: 20, silence: seed % 4 === 0 ? 3 : 0 };
    for (let round = 0; round < 60; round++) {
      world.add("crit", round % 3);
      world.add("chain", 7);
      world.add("ops", (seed * round) % 40);
      if (round % 17 === 0) world.aggregator.crash();
      if (round % 23 === 0) {
        world.agent?.stop();
        world.start();
      }
      await world.pass(4_000, 500);
    }
    world.carrier.weather = CLEAR;
    await world.pass(900_000, 1_000);
    for (const lane of SYNC_LANES)
      expect([seed, lane, world.aggregator.sequences(lane)]).toEqual([seed, lane, countTo(world.log.tip(lane).sequence)]);
    expect(world.forks).toEqual([]);
  }
}, 120_000);

test("sync agent: an acknowledgement of what is not ours, not counted and the link given up", async () => {
  const world = new AgentWorld();
  world.aggregator.distort = (cursor) => ({ ...cursor, hash: new Uint8Array(32) });
  const agent = world.start();
  world.add("crit");
  await world.pass(2_000);
  expect(agent.acknowledged("crit")).toBeUndefined();
  expect(agent.status().reason).toBe("an acknowledgement that its witness did not sign");
});

test("sync agent: asked to wait, waits as long and sends again", async () => {
  const world = new AgentWorld();
  world.aggregator.refusal = { code: "full", detail: "no room", retryAfterMs: 60_000 };
  world.start();
  world.add("crit", 3);
  await world.pass(5_000);
  world.aggregator.refusal = undefined;
  await world.pass(30_000);
  expect(world.aggregator.sequences("crit")).toEqual([]);
  await world.pass(40_000);
  expect(world.aggregator.sequences("crit")).toEqual(countTo(3));
});

test("sync agent: the aggregator holds another record, a fork told once and nothing sent over it", async () => {
  const world = new AgentWorld();
  world.start();
  world.add("crit", 5);
  await world.pass(2_000);
  world.agent?.stop();
  const cursor = world.aggregator.cursors.get("crit");
  if (!cursor) throw new Error("nothing was acknowledged");
  world.aggregator.cursors.set("crit", { ...cursor, hash: new Uint8Array(32).fill(9) });
  world.add("crit", 5);
  world.add("chain", 3);
  const agent = world.start();
  await world.pass(10_000);
  expect(world.forks).toEqual([{ lane: "crit", verdict: "fork" }]);
  expect(world.aggregator.sequences("crit")).toEqual(countTo(5));
  expect(world.aggregator.sequences("chain")).toEqual(countTo(3));
  expect(agent.status().lanes[0]).toMatchObject({ lane: "crit", isHeld: true });
});

test("sync agent: the aggregator holds more of the chain lane than a restored box, goes on once it has grown back", async () => {
  const world = new AgentWorld();
  world.start();
  world.add("chain", 20);
  await world.pass(5_000);
  world.agent?.stop();
  const lost = world.bench.chain.records.splice(10);
  world.log = world.open();
  world.start();
  await world.pass(5_000);
  expect(world.forks).toEqual([{ lane: "chain", verdict: "ahead" }]);
  const restored = lost.flatMap((stored) => world.aggregator.records.get(`chain/1/${stored.sequence}`) ?? []);
  world.bench.chain.records.push(...lost);
  world.log.onChainCommitted(restored);
  world.add("chain", 2);
  await world.pass(5_000);
  expect(world.aggregator.sequences("chain")).toEqual(countTo(22));
});

test("sync agent: heartbeats while the link is up, counted and signed", async () => {
  const world = new AgentWorld();
  world.start();
  await world.pass(3_700_000, 1_000);
  const said = world.aggregator.heartbeats.map(({ sequence }) => sequence);
  expect(said).toEqual([1, 24, 47, 70, 93]); // each when the one before is 15 minutes old; between them it is as it said
  expect(world.aggregator.beats).toBe(93 - 5);
});

test("sync agent: something urgent changes or is unacknowledged, told in full by the next word; a twitch is not", async () => {
  const world = new AgentWorld();
  world.start();
  await world.pass(100_000, 1_000);
  expect(world.aggregator.heartbeats).toHaveLength(1);
  for (const [change, isTold] of [
    [{ peers: 3 }, true],
    [{ reason: "storage" }, true],
    [{ metrics: [{ name: "alerts", value: 1_000 }] }, true],
    [{ metrics: [{ name: "diskFreeBytes", value: 1e12 }] }, true],
    [{ metrics: [{ name: "diskFreeBytes", value: 0.95e12 }] }, false],
    [
      {
        metrics: [
          { name: "diskFreeBytes", value: 0.95e12 },
          { name: "cpuPercent", value: 99_000 },
        ],
      },
      false,
    ],
    [{ metrics: [{ name: "diskFreeBytes", value: 0.85e12 }] }, true],
    [{ height: 2 }, true],
  ] as const) {
    const before = world.aggregator.heartbeats.length;
    world.saying = { ...world.saying, ...change };
    await world.pass(40_000, 1_000);
    expect([change, world.aggregator.heartbeats.length - before]).toEqual([change, isTold ? 1 : 0]);
  }
});

test("sync agent: operational records let go before they were sent, the lane goes on behind the gap", async () => {
  const world = new AgentWorld();
  world.carrier.weather = { ...CLEAR, noWay: 100 };
  world.log = world.open({ opsTuning: { flushAfterMs: 100, flushEventsMax: 16, waitingEventsMax: 64, quotaBytes: 40_000 } });
  world.start();
  for (let i = 0; i < 60; i++) {
    for (let j = 0; j < 50; j++) world.log.appendOps(event("service.stopped", { service: "node", reason: `stop ${i} ${j}` }));
    await world.pass(1_000);
  }
  world.carrier.weather = CLEAR;
  await world.pass(400_000, 1_000);
  const held = world.aggregator.sequences("ops");
  expect(held.at(-1)).toBe(world.log.tip("ops").sequence);
  expect(held[0]).toBeGreaterThan(1);
});

test("sync agent: everything is held but the acknowledgement was lost, asked for again", async () => {
  const world = new AgentWorld();
  world.start();
  world.add("crit", 5);
  await world.pass(2_000);
  world.agent?.stop();
  const agent = world.start(new AgentWorld().acks);
  expect(agent.acknowledged("crit")).toBeUndefined();
  await world.pass(2_000);
  expect(agent.acknowledged("crit")?.sequence).toBe(5);
  expect(agent.status().unacknowledgedMs).toBe(0);
});
