/**
 * A network of validators as processes: finality near and far, what a dead leader costs, what goes over the wire, what an
 * idle network takes; peak.bench.ts has throughput. All nodes and the measuring client share this machine. `bun test/bench/finality.bench.ts [near|far|seven|dead|wire|idle]...`
 */
import { Chance } from "../e2e/support/chance.ts";
import { NodeNetwork } from "../e2e/support/node-network.ts";
import { Workplace } from "../e2e/support/workplace.ts";
import { type Crowd, makeCrowd, submitAll, submitEverywhere, untilFinal } from "./crowd.ts";
import { BenchReport, quantile } from "./harness.ts";
import { countersOf, type NetworkCounters } from "./node-counters.ts";

const RTTS_MS = [50, 100, 200] as const;
/** Light load: a client at each node with one transaction under way, and pauses between them. */
const SAMPLES = 112;
const PAUSE_MS = 100;
/** Views after which a leader without a vote is skipped, and as many blocks of the others. */
const SKIP_VIEWS = 32;
const PER_REQUEST = 256;

const wanted = process.argv.slice(2);
const report = new BenchReport("finality");
const place = new Workplace();
const chance = new Chance(1);

/** One client at each node submits a transaction, waits at that node until it is final, rests and submits the next. */
async function finality(crowd: Crowd, label: string, goalMs?: number): Promise<void> {
  const times: number[] = [];
  const { nodes } = crowd.network;
  await Promise.all(
    nodes.map(async (node, index) => {
      for (let i = index; i < SAMPLES; i += nodes.length) {
        const [signed] = crowd.sign(1);
        if (!node || !signed) throw new Error("a node runs and a transaction is signed");
        const sent = performance.now();
        await submitAll(node, [[signed.encoded]]);
        await untilFinal(node, signed.id);
        times.push(performance.now() - sent);
        await Bun.sleep(chance.between(0, PAUSE_MS));
      }
    }),
  );
  for (const share of [0.5, 0.95, 0.99]) {
    const isGoal = goalMs !== undefined && share === 0.95;
    report.add({
      name: `submit -> final p${100 * share}, ${label}`,
      value: quantile(times, share),
      unit: "ms",
      ...(isGoal ? { goal: { of: "value" as const, is: "at most" as const, bound: goalMs } } : {}),
      note: `${times.length} single transactions`,
    });
  }
}

async function start(name: string, validators: number, hasRelays: boolean, words: readonly string[] = []): Promise<Crowd> {
  const network = await NodeNetwork.start(place, name, { validators, hasRelays, chance, words });
  return await makeCrowd(network);
}

async function stop({ network }: Crowd): Promise<void> {
  const faults = await network.stop();
  if (faults.length > 0) throw new Error(faults.join("; "));
}

async function near(): Promise<void> {
  const crowd = await start("near", 4, false);
  await finality(crowd, "n = 4, loopback", 500);
  await stop(crowd);
}

async function far(validators: number): Promise<void> {
  const crowd = await start(`far-${validators}`, validators, true);
  if (validators !== 4) await finality(crowd, `n = ${validators}, loopback through relays`);
  for (const rttMs of RTTS_MS) {
    crowd.network.treatAll({ delayMs: rttMs / 2 });
    await Bun.sleep(1_000);
    await finality(crowd, `n = ${validators}, RTT ${rttMs} ms`, rttMs === 200 ? 6_000 : undefined);
  }
  await stop(crowd);
}

/** Milliseconds between final blocks under a trickle of transactions, by their header times. */
async function intervals(crowd: Crowd, blocks: number): Promise<{ readonly meanMs: number; readonly maxMs: number }> {
  const node = crowd.network.nodes[0];
  if (!node) throw new Error("the first node runs");
  const tip = async (): Promise<number> => Number((await node.get("/api/v2/status"))["height"]);
  const first = await tip();
  while ((await tip()) < first + blocks) {
    await submitAll(node, [crowd.sign(2).map(({ encoded }) => encoded)]);
    await Bun.sleep(20);
  }
  const page = (await node.get(`/api/v2/blocks?from=${first}&limit=100`)) as { blocks: { header: { time: string } }[] };
  const times = page.blocks.map(({ header }) => Date.parse(header.time));
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? 0));
  return { meanMs: gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length, maxMs: Math.max(...gaps) };
}

/** One validator of four ends for good: what its views cost before the others skip it, and afterwards. */
async function dead(): Promise<void> {
  const crowd = await start("dead", 4, false);
  await intervals(crowd, 10);
  const alive = await intervals(crowd, 40);
  await crowd.network.killNode(3);
  const before = await intervals(crowd, Math.floor((SKIP_VIEWS * 3) / 4) - 4);
  await intervals(crowd, 16);
  const after = await intervals(crowd, 40);
  const baseline = { name: "the interval with all four up", value: alive.meanMs };
  report.add({ name: "mean block interval, all four up", value: alive.meanMs, unit: "ms" });
  report.add({ name: "longest block interval, one dead, not yet skipped", value: before.maxMs, unit: "ms", note: "one proposal deadline" });
  report.add({ name: "mean block interval, one dead, not yet skipped", value: before.meanMs, unit: "ms", baseline });
  report.add({
    name: "mean block interval, one dead, skipped",
    value: after.meanMs,
    unit: "ms",
    baseline,
    goal: { of: "ratio", is: "at most", bound: 2 },
  });
  report.add({ name: "longest block interval, one dead, skipped", value: after.maxMs, unit: "ms" });
  await stop(crowd);
}

async function countersOfAll({ network }: Crowd): Promise<NetworkCounters[]> {
  return await Promise.all(network.nodes.flatMap((node) => (node ? [countersOf(node)] : [])));
}

/** Bytes on the wire, memory and processor time under a steady load. */
async function wire(): Promise<void> {
  const crowd = await start("wire", 4, false, ["--http-rate-loopback-per-second", "0"]);
  for (const [perSecond, seconds] of [
    [100, 10],
    [1_000, 10],
  ] as const) {
    const before = await countersOfAll(crowd);
    const signed = crowd.sign(perSecond * seconds);
    const began = performance.now();
    const step = perSecond / 20;
    for (let i = 0; i < signed.length; i += step) {
      await submitEverywhere(crowd, signed.slice(i, i + step), PER_REQUEST);
      await Bun.sleep(Math.max(0, began + (1_000 * (i + step)) / perSecond - performance.now()));
    }
    for (const { id } of signed.slice(-64)) await untilFinal(crowd.network.nodes[0], id);
    const elapsed = (performance.now() - began) / 1_000;
    const after = await countersOfAll(crowd);
    const bytes = signed.reduce((sum, { encoded }) => sum + encoded.length, 0);
    const sum = (pick: (counters: NetworkCounters) => number): number =>
      after.reduce((total, counters, at) => total + pick(counters) - pick(before[at] ?? counters), 0);
    const label = `${perSecond} tx/s, n = 4`;
    const sent = sum((counters) => counters.sentBytes);
    report.add({
      name: `bytes sent per node and transaction byte, ${label}`,
      value: sent / 4 / bytes,
      unit: "x",
      note: `${elapsed.toFixed(1)} s`,
    });
    for (const lane of ["consensus", "batches", "blocks", "link"]) {
      const part = sum((counters) => counters.sentBytesByLane.get(lane) ?? 0);
      report.add({ name: `  of it ${lane}`, value: part / 4 / bytes, unit: "x" });
    }
    report.add({ name: `CPU per node, ${label}`, value: (100 * sum(({ cpuSeconds }) => cpuSeconds)) / 4 / elapsed, unit: "% of a core" });
    report.add({
      name: `RSS per node, ${label}`,
      value: Math.max(...after.map(({ rssBytes }) => rssBytes)) / 1e6,
      unit: "MB",
      note: "the largest",
    });
  }
  await stop(crowd);
}

/** What a network with nothing to do sends, takes and holds; the heartbeats of the profile are part of it. */
async function idle(): Promise<void> {
  for (const [profile, seconds] of [
    ["lan", 65],
    ["wan", 60],
  ] as const) {
    const crowd = await start(`idle-${profile}`, 4, false, ["--consensus-profile", profile]);
    await Bun.sleep(10_000); // what the last transactions leave to do is not idleness
    const before = await countersOfAll(crowd);
    await Bun.sleep(1_000 * seconds);
    const after = await countersOfAll(crowd);
    const mean = (pick: (counters: NetworkCounters) => number): number =>
      after.reduce((total, counters, at) => total + pick(counters) - pick(before[at] ?? counters), 0) / after.length;
    const note = `from ${seconds} s`;
    report.add({
      name: `bytes sent per node and hour, idle, ${profile}`,
      value: (mean(({ sentBytes }) => sentBytes) * 3_600) / seconds / 1e6,
      unit: "MB",
      note,
    });
    report.add({
      name: `CPU per node, idle, ${profile}`,
      value: (100 * mean(({ cpuSeconds }) => cpuSeconds)) / seconds,
      unit: "% of a core",
      note,
    });
    report.add({
      name: `RSS per node, idle, ${profile}`,
      value: Math.max(...after.map(({ rssBytes }) => rssBytes)) / 1e6,
      unit: "MB",
      goal: { of: "value", is: "at most", bound: 150 },
    });
    await stop(crowd);
  }
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  near,
  far: () => far(4),
  seven: () => far(7),
  dead,
  wire,
  idle,
};

try {
  for (const [name, run] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await run();
  report.finish();
} finally {
  await place.end();
}
