import { Database } from "bun:sqlite";
import { join } from "node:path";
import { AggregatorProcess } from "./aggregator-process.ts";
import { homeOf, makeTestnet } from "./bizra.ts";
import { Chance } from "./chance.ts";
import { makeDemoLoad } from "./demo-load.ts";
import { freePort } from "./node-network.ts";
import type { NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** What a trial is told. */
export type SyncPlan = {
  readonly seed: number;
  /** How often one of the two, or both, are killed. */
  readonly kills: number;
  readonly onProgress?: (line: string) => void;
};

/** What a trial found. */
export type SyncReport = {
  readonly nodeKills: number;
  readonly aggregatorKills: number;
  /** Records that the node has, and that the aggregator holds, by lane. */
  readonly records: Readonly<Record<string, { readonly node: number; readonly held: number }>>;
  readonly wireBytesPerEvent: number;
  readonly faults: readonly string[];
};

const LANES = ["crit", "chain", "ops"] as const;
const LANE_NUMBERS = { crit: 1, chain: 2, ops: 3 } as const;

/** Kills a loaded node and its aggregator at random moments; then compares what the node has with what the aggregator holds. */
export async function runSyncTrial(place: Workplace, { seed, kills, onProgress }: SyncPlan): Promise<SyncReport> {
  const chance = new Chance(seed);
  const net = await makeTestnet(place.at("sync-net"));
  const home = homeOf(net);
  const cloud = place.at("aggregator");
  const port = freePort();
  const startAggregator = async (): Promise<AggregatorProcess> =>
    place.keep(await AggregatorProcess.start(cloud, ["--listen", `127.0.0.1:${port}`, "--open"]));
  const words = ["--sync-aggregators", `http://127.0.0.1:${port}`];
  let aggregator = await startAggregator();
  let node = await place.start(home, { words });
  const { load } = await makeDemoLoad(net, node, chance);
  const counts = { node: 0, aggregator: 0 };
  for (let kill = 0; kill < kills; kill++) {
    const stop = new AbortController();
    const running = load.run(node, stop.signal);
    await Bun.sleep(chance.between(50, 1_500));
    const which = chance.between(0, 3);
    if (which !== 1) {
      await aggregator.kill();
      counts.aggregator++;
    }
    if (which !== 0) {
      await node.kill();
      counts.node++;
    }
    stop.abort();
    await running;
    if (which !== 1) {
      await Bun.sleep(chance.between(0, 400));
      aggregator = await startAggregator();
    }
    if (which !== 0) node = await place.start(home, { words });
    onProgress?.(`kill ${kill + 1}/${kills}`);
  }
  await load.settle(node, 90_000);
  const faults = [...load.surprises, ...(await findUnsent(node, 120_000))];
  const told = new Map<string, Told[]>();
  for (const lane of LANES) told.set(lane, await readLane(node, lane));
  const wireBytesPerEvent = await readWireBytes(aggregator.http);
  await node.stop();
  if ((await aggregator.stop()) !== 0) faults.push(`the aggregator did not stop in good order: ${aggregator.output}`);
  const database = new Database(join(cloud, "aggregator.db"));
  const records: Record<string, { node: number; held: number }> = {};
  for (const lane of LANES) {
    const held = readHeld(database, LANE_NUMBERS[lane]);
    const expected = told.get(lane) ?? [];
    records[lane] = { node: expected.length, held: held.length };
    faults.push(...findDifferences(lane, expected, held));
  }
  const findings = database.query<{ kind: string; detail: string }, []>("SELECT kind, detail FROM finding").all();
  for (const { kind, detail } of findings) faults.push(`a finding: ${kind}: ${detail}`);
  database.close();
  return { nodeKills: counts.node, aggregatorKills: counts.aggregator, records, wireBytesPerEvent, faults };
}

/** A record of a lane as a node tells it, or as an aggregator holds it. */
export type Told = { readonly epoch: number; readonly sequence: number; readonly hash: string };

/** Waits until everything is acknowledged. */
async function findUnsent(node: NodeProcess, limitMs: number): Promise<string[]> {
  const endMs = performance.now() + limitMs;
  while (performance.now() < endMs) {
    const metrics = await (await fetch(`${node.http}/metrics`)).text();
    if (/bizra_sync_up\{[^}]*\} 1\n/.test(metrics) && /bizra_sync_unacknowledged_seconds\{[^}]*\} 0\n/.test(metrics)) return [];
    await Bun.sleep(100);
  }
  return [`not everything was acknowledged after ${limitMs} ms`];
}

/** Every record of a lane, as a node tells it. */
export async function readLane(node: NodeProcess, lane: string): Promise<Told[]> {
  const told: Told[] = [];
  for (let after = "1.0"; ; ) {
    const page = await node.get(`/api/v2/events?lane=${lane}&after=${after}&limit=1000`);
    const events = page["events"] as Told[];
    if (events.length === 0) return told;
    told.push(...events.map(({ epoch, sequence, hash }) => ({ epoch, sequence, hash })));
    after = String(page["next"]);
  }
}

function readHeld(database: Database, lane: number): Told[] {
  const rows = database
    .query<{ epoch: number; sequence: number; hash: Uint8Array }, [number]>(
      "SELECT epoch, sequence, hash FROM event WHERE lane = ? ORDER BY epoch, sequence",
    )
    .all(lane);
  return rows.map(({ epoch, sequence, hash }) => ({ epoch, sequence, hash: Buffer.from(hash).toString("hex") }));
}

/** What is held is what the node has; the node may have told a few more since, and none less. */
/** What differs between a lane as its node told it and as it is held. */
export function findDifferences(lane: string, told: readonly Told[], held: readonly Told[]): string[] {
  const faults: string[] = [];
  if (held.length < told.length) faults.push(`${lane}: the node has ${told.length} records, ${held.length} are held`);
  for (const [at, record] of told.entries()) {
    const other = held[at];
    if (other && (other.epoch !== record.epoch || other.sequence !== record.sequence || other.hash !== record.hash)) {
      return [...faults, `${lane}: record ${record.epoch}/${record.sequence} is held as ${other.epoch}/${other.sequence} ${other.hash}`];
    }
  }
  return faults;
}

async function readWireBytes(http: string): Promise<number> {
  const metrics = await (await fetch(`${http}/metrics`)).text();
  const read = (name: string): number => Number(new RegExp(`^${name} ([0-9.e+]+)$`, "m").exec(metrics)?.[1] ?? Number.NaN);
  return read("bizra_aggregator_wire_bytes_total") / read("bizra_aggregator_events_total");
}
