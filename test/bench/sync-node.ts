import { homeOf, makeTestnet, type Testnet } from "../e2e/support/bizra.ts";
import { Chance } from "../e2e/support/chance.ts";
import { makeDemoLoad } from "../e2e/support/demo-load.ts";
import type { LinkManner } from "../e2e/support/link-relay.ts";
import type { NodeProcess } from "../e2e/support/node-process.ts";
import type { Workplace } from "../e2e/support/workplace.ts";
import { type Crowd, makeCrowd, submitAll, untilFinal } from "./crowd.ts";
import { type BenchReport, quantile } from "./harness.ts";
import { carriedBytes, metricsOf, type SyncedNode, startAggregator, startSyncedNode, THIN_LINK } from "./sync-links.ts";

const LANES = ["crit", "chain", "ops"] as const;
const MONTH_SECONDS = 30 * 24 * 3_600;
const SAMPLE_MS = 100;
/** Longest pause of each demo account between submissions, in ms: a few blocks a second. */
const PAUSE_MS = 2_000;

/** The live RPO of a lightly loaded node, looked at ten times a second. */
export async function measureRpo(report: BenchReport, place: Workplace, seconds: number): Promise<void> {
  const links: readonly (readonly [string, Partial<LinkManner>, number])[] = [
    ["clean link", {}, 5],
    ["64 kbit/s, 300 ms, 3 % loss", THIN_LINK, 30],
  ];
  for (const [index, [name, manner, goalSeconds]] of links.entries()) {
    const aggregator = await startAggregator(place, `rpo-aggregator-${index}`);
    const { net, node, relay } = await startSyncedNode(place, `rpo-${index}`, aggregator, manner, []);
    const { load } = await makeDemoLoad(net, node, new Chance(1), PAUSE_MS);
    const stop = new AbortController();
    const running = load.run(node, stop.signal);
    await Bun.sleep(5_000);
    const before = { events: await heldEvents(aggregator.http), bytes: carriedBytes(relay), crit: await sequenceOf(node, "crit") };
    const ages = new Map<string, number[]>([["all lanes", []], ...LANES.map((lane) => [lane, []] as [string, number[]])]);
    const endMs = performance.now() + 1_000 * seconds;
    while (performance.now() < endMs) {
      const metrics = await metricsOf(node.http);
      ages.get("all lanes")?.push(metrics.get('bizra_sync_unacknowledged_seconds{aggregator="1"}') ?? Number.NaN);
      for (const lane of LANES)
        ages.get(lane)?.push(metrics.get(`bizra_sync_lane_unacknowledged_seconds{aggregator="1",lane="${lane}"}`) ?? Number.NaN);
      await Bun.sleep(SAMPLE_MS);
    }
    const events = (await heldEvents(aggregator.http)) - before.events;
    const bytes = carriedBytes(relay) - before.bytes;
    const crit = (await sequenceOf(node, "crit")) - before.crit;
    stop.abort();
    await running;
    const note = `${(events / seconds).toFixed(1)} events/s over ${seconds} s`;
    const all = ages.get("all lanes") ?? [];
    report.add({ name: `live RPO p50, ${name}`, value: quantile(all, 0.5), unit: "s", note });
    report.add({
      name: `live RPO p99, ${name}`,
      value: quantile(all, 0.99),
      unit: "s",
      goal: { of: "value", is: "at most", bound: goalSeconds },
      note,
    });
    const ofCrit = `${crit} crit events in that time; beside a backlog see the backlog part`;
    report.add({ name: `live RPO of crit p99, ${name}`, value: quantile(ages.get("crit") ?? [], 0.99), unit: "s", note: ofCrit });
    report.add({
      name: `TCP payload per event, both ways, ${name}`,
      value: bytes / events,
      unit: "bytes",
      note: `${note}; heartbeats within`,
    });
    await node.stop();
    await aggregator.stop();
    relay.kill();
  }
}

/** A node that nobody talks to, by link profile; three nodes at once. */
export async function measureIdle(report: BenchReport, place: Workplace, seconds: number): Promise<void> {
  const aggregator = await startAggregator(place, "idle-aggregator");
  const profiles = ["unmetered", "metered", "emergency"] as const;
  const idle: (SyncedNode & { readonly profile: string })[] = [];
  for (const profile of profiles) {
    const words = ["--consensus-profile", "wan", "--sync-profile", profile];
    idle.push({ profile, ...(await startSyncedNode(place, `idle-${profile}`, aggregator, {}, words)) });
  }
  await Bun.sleep(15_000);
  const before = idle.map(({ relay }) => ({ ...relay.carried }));
  await Bun.sleep(1_000 * seconds);
  for (const [index, { profile, relay, node }] of idle.entries()) {
    const [out, back] = [relay.carried.out - (before[index]?.out ?? 0), relay.carried.back - (before[index]?.back ?? 0)];
    const note = `counted over ${seconds} s, the first 15 s after the start not among them; ${out} bytes out, ${back} back`;
    report.add({ name: `idle uplink, ${profile}`, value: ((out + back) * 3_600) / seconds, unit: "bytes/h", note });
    report.add({
      name: `idle uplink a month, extrapolated, ${profile}`,
      value: ((out + back) * MONTH_SECONDS) / seconds / 1e6,
      unit: "MB",
      goal: { of: "value", is: "at most", bound: 10 },
      note: `from ${seconds} s`,
    });
    await node.stop();
    relay.kill();
  }
  await aggregator.stop();
}

/** A loaded node with and without the agent, by turns, so that what else the machine does meets both. */
export async function measureLoad(report: BenchReport, place: Workplace, seconds: number): Promise<void> {
  const aggregator = await startAggregator(place, "load-aggregator");
  const turns = new Map<string, LoadFigures[]>([
    ["without the agent", []],
    ["with the agent", []],
  ]);
  for (let round = 0; round < 2 * TURNS; round++) {
    const isSynced = round % 2 === 1;
    const net = await makeTestnet(place.at(`load-${round}`));
    const words = ["--http-rate-loopback-per-second", "0", ...(isSynced ? ["--sync-aggregators", aggregator.http] : [])];
    const node = await place.start(homeOf(net), { words });
    turns.get(isSynced ? "with the agent" : "without the agent")?.push(await loadedFigures(node, net, seconds));
    await node.stop();
  }
  await aggregator.stop();
  for (const [name, figures] of turns) {
    const note = `${RATE} tx/s, mean of ${figures.length} turns of ${seconds} s`;
    const probes = `${note}, the first transaction of each request watched over HTTP`;
    const mean = (pick: (figure: LoadFigures) => number): number => figures.reduce((sum, figure) => sum + pick(figure), 0) / figures.length;
    report.add({ name: `block interval p50, ${name}`, value: mean(({ intervalP50Ms }) => intervalP50Ms), unit: "ms", note });
    report.add({ name: `block interval p99, ${name}`, value: mean(({ intervalP99Ms }) => intervalP99Ms), unit: "ms", note });
    report.add({ name: `event-loop lag, mean, ${name}`, value: mean(({ lagMeanMs }) => lagMeanMs), unit: "ms", note });
    report.add({ name: `event-loop lag p50 within, ${name}`, value: mean(({ lagP50Ms }) => lagP50Ms), unit: "ms", note });
    report.add({ name: `submit to final p50, ${name}`, value: mean(({ finalP50Ms }) => finalP50Ms), unit: "ms", note: probes });
    report.add({ name: `submit to final p99, ${name}`, value: mean(({ finalP99Ms }) => finalP99Ms), unit: "ms", note: probes });
    report.add({ name: `event-loop lag p99 within, ${name}`, value: mean(({ lagP99Ms }) => lagP99Ms), unit: "ms", note });
    report.add({ name: `CPU of the node, ${name}`, value: mean(({ cpuShare }) => 100 * cpuShare), unit: "% of a core", note });
  }
}

type NodeCrowd = Crowd<{ readonly net: Testnet; readonly nodes: NodeProcess[] }>;

type LoadFigures = {
  readonly intervalP50Ms: number;
  readonly intervalP99Ms: number;
  readonly lagMeanMs: number;
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
  readonly finalP50Ms: number;
  readonly finalP99Ms: number;
  readonly cpuShare: number;
};

/** How often each of the two has its turn. */
const TURNS = 3;
/** Transactions a second of the loaded node. */
const RATE = 400;
const PER_REQUEST = 40;

async function loadedFigures(node: NodeProcess, net: Testnet, seconds: number): Promise<LoadFigures> {
  const crowd: NodeCrowd = await makeCrowd({ net, nodes: [node] });
  await submitSteadily(crowd, 3);
  const before = await metricsOf(node.http);
  const fromHeight = before.get("bizra_chain_height") ?? 0;
  const finals = await submitSteadily(crowd, seconds);
  const after = await metricsOf(node.http);
  const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  const intervals = await intervalsMs(node, fromHeight);
  const samples = grown("bizra_event_loop_lag_seconds_count");
  const bounds = [...after.keys()].flatMap((name) => {
    const bound = /^bizra_event_loop_lag_seconds_bucket\{le="([^"]+)"\}$/.exec(name)?.[1];
    return bound === undefined ? [] : [{ bound: Number(bound.replace("+Inf", "Infinity")), within: grown(name) }];
  });
  const lagWithin = (share: number): number =>
    1_000 * (bounds.find(({ within }) => within >= share * samples)?.bound ?? Number.POSITIVE_INFINITY);
  return {
    intervalP50Ms: quantile(intervals, 0.5),
    intervalP99Ms: quantile(intervals, 0.99),
    lagMeanMs: (1_000 * grown("bizra_event_loop_lag_seconds_sum")) / samples,
    lagP50Ms: lagWithin(0.5),
    lagP99Ms: lagWithin(0.99),
    finalP50Ms: quantile(finals, 0.5),
    finalP99Ms: quantile(finals, 0.99),
    cpuShare:
      [...after.keys()].filter((name) => name.startsWith("bizra_process_cpu_seconds_total")).reduce((sum, name) => sum + grown(name), 0) /
      seconds,
  };
}

/** @returns for each request, the time from its submission until its first transaction was final, ms */
async function submitSteadily(crowd: NodeCrowd, seconds: number): Promise<number[]> {
  const [node] = crowd.network.nodes;
  const signed = crowd.sign(RATE * seconds);
  const start = performance.now();
  const finals: Promise<number>[] = [];
  for (let at = 0; at < signed.length; at += PER_REQUEST) {
    const waitMs = start + (1_000 * at) / RATE - performance.now();
    if (waitMs > 0) await Bun.sleep(waitMs);
    const sentMs = performance.now();
    if (node) await submitAll(node, [signed.slice(at, at + PER_REQUEST).map(({ encoded }) => encoded)]);
    finals.push(untilFinal(node, signed[at]?.id ?? "").then(() => performance.now() - sentMs));
  }
  return await Promise.all(finals);
}

/** Times between final blocks after a height, as their headers say. */
async function intervalsMs(node: NodeProcess, fromHeight: number): Promise<number[]> {
  const times: number[] = [];
  for (let after: string | undefined = "1.0"; after !== undefined; ) {
    const page = await node.get(`/api/v2/events?lane=chain&after=${after}&limit=1000`);
    const events = page["events"] as { type: string; time: string; payload?: { height?: number } }[];
    for (const { type, time, payload } of events)
      if (type === "block.finalized" && (payload?.height ?? 0) > fromHeight) times.push(Date.parse(time));
    after = events.length === 0 ? undefined : String(page["next"]);
  }
  return times.slice(1).map((time, index) => time - (times[index] ?? time));
}

/** Sequence of a lane's last record. */
async function sequenceOf(node: NodeProcess, lane: string): Promise<number> {
  return Number(String((await node.get(`/api/v2/events?lane=${lane}&limit=1`))["head"]).split(".")[1]);
}

async function heldEvents(http: string): Promise<number> {
  return (await metricsOf(http)).get("bizra_aggregator_events_total") ?? Number.NaN;
}
