import { Database } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { AggregatorProcess } from "./aggregator-process.ts";
import { Chance } from "./chance.ts";
import { makeDemoLoad } from "./demo-load.ts";
import { freePort, NodeNetwork } from "./node-network.ts";
import type { NodeProcess } from "./node-process.ts";
import { findDifferences, readLane, type Told } from "./sync-trial.ts";
import type { Workplace } from "./workplace.ts";

/** What a trial found. */
export type EscrowReport = {
  /** Vital records that the box wrote while the aggregator was away. */
  readonly records: number;
  /** From the aggregator's start until both keepers had handed them over. */
  readonly seconds: number;
  readonly faults: readonly string[];
};

/** Index of the box that is lost. */
const LOST = 2;
const WAIT_MS = 300_000;

/**
 * Four validators and an aggregator. The aggregator goes; one box says something vital, waits until two peers keep it, and is
 * lost with its disk; the aggregator comes back, and must hold every vital record of that box.
 */
export async function runEscrowTrial(place: Workplace): Promise<EscrowReport> {
  const cloud = place.at("aggregator");
  const port = freePort();
  const startAggregator = async (): Promise<AggregatorProcess> =>
    place.keep(await AggregatorProcess.start(cloud, ["--listen", `127.0.0.1:${port}`, "--open"]));
  let aggregator = await startAggregator();
  const words = ["--sync-aggregators", `http://127.0.0.1:${port}`];
  const network = await NodeNetwork.start(place, "escrow-net", { validators: 4, words });
  const isAcknowledged = (): Promise<boolean> => has(network, LOST, /_lane_unacknowledged_seconds\{[^}]*lane="crit"\} 0\n/);
  const isUp = (): Promise<boolean> => has(network, LOST, /bizra_sync_up\{[^}]*\} 1\n/);
  if (!(await comesTrue(async () => (await isUp()) && (await isAcknowledged())))) return failed("the box's vital lane is not acknowledged");
  await aggregator.kill();
  const before = await readLane(nodeAt(network, LOST), "crit");
  const { load } = await makeDemoLoad(network.net, nodeAt(network, 0), new Chance(1));
  for (let restart = 0; restart < 2; restart++) {
    await load.run(nodeAt(network, 0), AbortSignal.timeout(2_000));
    await nodeAt(network, LOST).stop(); // a stop and a start each say up to where this box has signed
    await network.startNode(LOST);
  }
  const told = await readLane(nodeAt(network, LOST), "crit");
  if (told.length <= before.length) return failed("the box said nothing vital while the aggregator was away");
  if (!(await comesTrue(() => has(network, LOST, /^bizra_escrow_keepers 2$/m)))) return failed("no two peers keep the box's vital lane");
  await network.killNode(LOST);
  rmSync(network.net.homes[LOST] ?? "", { recursive: true });
  const startedAtMs = performance.now();
  aggregator = await startAggregator();
  const others = [0, 1, 2, 3].filter((index) => index !== LOST);
  const isHandedOver = async (): Promise<boolean> =>
    (await Promise.all(others.map((index) => has(network, index, /^bizra_escrow_handed_over_total [1-9]/m)))).filter((is) => is).length >=
    2;
  const faults = (await comesTrue(isHandedOver)) ? [] : ["the two keepers did not hand the lane over"];
  const seconds = (performance.now() - startedAtMs) / 1_000;
  await aggregator.stop();
  faults.push(...findDifferences("crit", told, readHeld(cloud, before[0]?.hash ?? "")));
  return { records: told.length - before.length, seconds, faults };
}

function failed(fault: string): EscrowReport {
  return { records: 0, seconds: 0, faults: [fault] };
}

function nodeAt(network: NodeNetwork, index: number): NodeProcess {
  const node = network.nodes[index];
  if (!node) throw new Error(`node ${index} runs`);
  return node;
}

/** Whether a node's metrics say something. */
async function has(network: NodeNetwork, index: number, pattern: RegExp): Promise<boolean> {
  return pattern.test(await (await fetch(`${nodeAt(network, index).http}/metrics`)).text());
}

/** What the store of an aggregator that does not run holds of the vital lane that begins with a record. */
function readHeld(cloud: string, first: string): Told[] {
  const database = new Database(join(cloud, "aggregator.db"));
  try {
    const rows = database
      .query<{ epoch: number; sequence: number; hash: Uint8Array }, [Uint8Array]>(
        "SELECT epoch, sequence, hash FROM event WHERE lane = 1 AND node_id = (SELECT node_id FROM event WHERE hash = ?) ORDER BY epoch, sequence",
      )
      .all(Buffer.from(first, "hex"));
    return rows.map(({ epoch, sequence, hash }) => ({ epoch, sequence, hash: Buffer.from(hash).toString("hex") }));
  } finally {
    database.close();
  }
}

async function comesTrue(look: () => Promise<boolean>): Promise<boolean> {
  for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await Bun.sleep(500)) if (await look()) return true;
  return false;
}
