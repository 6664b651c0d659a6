import { expect, test } from "bun:test";
import { AgentWorld, CLEAR } from "./agent-world.ts";
import { SlowAnswerer } from "./slow-answerer.ts";

const countTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** A world whose way carries so many bytes a second and takes 300 ms each way. */
function thinWorld(bytesPerSecond: number): { world: AgentWorld; way: SlowAnswerer } {
  const way = new SlowAnswerer(bytesPerSecond, 300);
  const world = new AgentWorld(1, way);
  way.time = world.bench.time;
  way.target = world.aggregator;
  return { world, way };
}

test("sync backlog: a box back after an outage on 64 kbit/s, vital events stay fresh while the chain lane drains", async () => {
  const { world, way } = thinWorld(8_000);
  world.aggregator.creditBytes = 2 * 1024 * 1024;
  world.carrier.weather = { ...CLEAR, noWay: 100 };
  const agent = world.start();
  world.add("chain", 12_000);
  world.add("ops", 600);
  await world.pass(10_000, 1_000);
  world.carrier.weather = CLEAR;
  let oldestCritMs = 0;
  let seconds = 0;
  for (; seconds < 300 && agent.status().lanes[1]?.acknowledged !== 12_000; seconds++) {
    if (seconds % 3 === 0) world.add("crit");
    await world.pass(1_000, 250);
    oldestCritMs = Math.max(oldestCritMs, agent.status().lanes[0]?.unacknowledgedMs ?? Infinity);
  }
  await world.pass(20_000);
  expect(world.aggregator.sequences("chain")).toEqual(countTo(12_000));
  expect(world.aggregator.sequences("crit")).toEqual(countTo(world.log.tip("crit").sequence));
  expect(world.carrier.opened).toBe(1);
  expect(oldestCritMs).toBeLessThan(10_000);
  expect(way.sentBytes / seconds).toBeGreaterThan(0.6 * 8_000);
});

test("sync backlog: a link of 9,600 bit/s, a backlog arrives on one link", async () => {
  const { world } = thinWorld(1_200);
  world.aggregator.creditBytes = 2 * 1024 * 1024;
  world.start();
  world.add("chain", 2_000);
  await world.pass(400_000, 1_000);
  expect(world.aggregator.sequences("chain")).toEqual(countTo(2_000));
  expect(world.carrier.opened).toBe(1);
});

test("sync backlog: credit for less than one batch, all of it taken by the chain lane, a vital event goes at once", async () => {
  const world = new AgentWorld();
  world.aggregator.creditBytes = 2_000;
  const agent = world.start();
  await world.pass(1_000);
  world.carrier.weather = { ...CLEAR, silence: 100 };
  world.add("chain", 5_000);
  await world.pass(3_000);
  world.carrier.weather = CLEAR;
  world.add("crit");
  await world.pass(1_000);
  expect(agent.status().lanes[0]).toMatchObject({ lane: "crit", acknowledged: 1, unacknowledgedMs: 0 });
  expect(agent.status().lanes[1]?.acknowledged).toBe(0);
});

test("sync backlog: a link that carries all, the backlog is not slowed down", async () => {
  const { world } = thinWorld(2_000_000);
  world.aggregator.creditBytes = 2 * 1024 * 1024;
  world.start();
  world.add("chain", 12_000);
  await world.pass(12_000);
  expect(world.aggregator.sequences("chain")).toEqual(countTo(12_000));
});
