import { Database, SQLiteError } from "bun:sqlite";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { AggregatorProcess } from "./aggregator-process.ts";
import { freePort, NodeNetwork } from "./node-network.ts";
import type { NodeProcess } from "./node-process.ts";
import { findDifferences, readLane, type Told } from "./sync-trial.ts";
import type { Workplace } from "./workplace.ts";

/** What a trial found. */
export type EscrowReport = {
  /** Vital records of the box that was lost. */
  readonly records: number;
  /** From the aggregator's return until it held them all. */
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
  const aggregator = await startAggregator();
  const words = ["--sync-aggregators", `http://127.0.0.1:${port}`];
  const network = await NodeNetwork.start(place, "escrow-net", { validators: 4, words });
  const id = String((await nodeAt(network).get("/api/v2/status"))["node"]);
  if (!(await comesTrue(async () => (await heldOf(cloud, id)).length > 0)))
    return failed("the box's vital lane never came to the aggregator");
  await aggregator.kill();
  for (let restart = 0; restart < 2; restart++) {
    await nodeAt(network).stop(); // a stop and a start each say up to where this box has signed
    await network.startNode(LOST);
  }
  const told = await readLane(nodeAt(network), "crit");
  const before = (await heldOf(cloud, id)).length;
  if (told.length <= before) return failed("the box said nothing vital while the aggregator was away");
  if (!(await comesTrue(() => hasKeepers(nodeAt(network))))) return failed("no two peers keep the box's vital lane");
  await network.killNode(LOST);
  rmSync(network.net.homes[LOST] ?? "", { recursive: true });
  const startedAtMs = performance.now();
  await startAggregator();
  await comesTrue(async () => (await heldOf(cloud, id)).length >= told.length);
  const seconds = (performance.now() - startedAtMs) / 1_000;
  return { records: told.length, seconds, faults: findDifferences("crit", told, await heldOf(cloud, id)) };
}

function failed(fault: string): EscrowReport {
  return { records: 0, seconds: 0, faults: [fault] };
}

function nodeAt(network: NodeNetwork): NodeProcess {
  const node = network.nodes[LOST];
  if (!node) throw new Error("the box runs");
  return node;
}

async function hasKeepers(node: NodeProcess): Promise<boolean> {
  return /^bizra_escrow_keepers 2$/m.test(await (await fetch(`${node.http}/metrics`)).text());
}

/** What an aggregator's store holds of a node's vital lane. */
async function heldOf(cloud: string, node: string): Promise<Told[]> {
  for (;;) {
    const held = readHeld(cloud, node);
    if (held) return held;
    await Bun.sleep(100);
  }
}

function readHeld(cloud: string, node: string): Told[] | undefined {
  const database = new Database(join(cloud, "aggregator.db"), { readonly: true });
  try {
    const rows = database
      .query<{ epoch: number; sequence: number; hash: Uint8Array }, [string]>(
        "SELECT epoch, sequence, hash FROM event JOIN node ON node.id = event.node_id WHERE lane = 1 AND node.node = ? ORDER BY epoch, sequence",
      )
      .all(node);
    return rows.map(({ epoch, sequence, hash }) => ({ epoch, sequence, hash: Buffer.from(hash).toString("hex") }));
  } catch (error) {
    if (!(error instanceof SQLiteError) || error.code !== "SQLITE_BUSY") throw error;
    return undefined; // the aggregator begins or ends just now
  } finally {
    database.close();
  }
}

async function comesTrue(look: () => Promise<boolean>): Promise<boolean> {
  for (const endMs = performance.now() + WAIT_MS; performance.now() < endMs; await Bun.sleep(500)) if (await look()) return true;
  return false;
}
