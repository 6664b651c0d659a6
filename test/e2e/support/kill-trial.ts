import { type Audit, auditNode } from "./audit.ts";
import { bizra, homeOf, lastJson, makeTestnet } from "./bizra.ts";
import { Chance } from "./chance.ts";
import { makeDemoLoad } from "./demo-load.ts";
import type { Load } from "./load.ts";
import type { NodeProcess } from "./node-process.ts";
import type { Workplace } from "./workplace.ts";

/** What a trial is told. */
export type KillPlan = {
  readonly seed: number;
  readonly kills: number;
  /** Longest load before a kill, in ms. */
  readonly loadMsMax: number;
  /** Told what happens, for people who wait. */
  readonly onProgress?: (line: string) => void;
};

/** What a trial found; `faults` is empty when the node kept its promises. */
export type KillReport = {
  readonly seed: number;
  readonly kills: number;
  readonly killsWhileStarting: number;
  readonly gracefulStops: number;
  readonly accepted: number;
  readonly final: number;
  readonly height: number;
  readonly restartMs: { readonly p50: number; readonly max: number };
  readonly faults: readonly string[];
};

/** How often a kill comes while the node starts, and how often a graceful stop comes between two kills. */
const STARTING_SHARE = 0.2;
const GRACEFUL_SHARE = 0.1;

/**
 * Kills a node at random moments under load and starts it again, then keeps the books: everything ever answered
 * `accepted` is final, once, in order; balances, supply, blocks and the roots of a re-execution agree.
 */
export async function runKillTrial(place: Workplace, plan: KillPlan): Promise<KillReport> {
  const chance = new Chance(plan.seed);
  const net = await makeTestnet(place.at("kill-net"));
  const home = homeOf(net);
  let node = await place.start(home);
  const { load, opening } = await makeDemoLoad(net, node, chance);
  const restartsMs: number[] = [];
  const counts = { starting: 0, graceful: 0 };
  for (let kill = 1; kill <= plan.kills; kill++) {
    await loadUntilKilled(load, node, chance.between(20, plan.loadMsMax));
    while (kill < plan.kills && chance.happens(STARTING_SHARE)) {
      await killWhileStarting(place, home, chance.between(0, Math.ceil(1.2 * (restartsMs.at(-1) ?? 200))));
      counts.starting++;
      kill++;
    }
    node = await place.start(home);
    restartsMs.push(node.readyMs);
    plan.onProgress?.(`kill ${kill}/${plan.kills}: ready after ${Math.round(node.readyMs)} ms, ${load.accepted.size} accepted so far`);
    if (chance.happens(GRACEFUL_SHARE)) {
      counts.graceful++;
      const code = await node.stop();
      if (code !== 0) load.surprises.push(`a graceful stop ended with ${code}: ${node.output}`);
      node = await place.start(home);
    }
  }
  await load.settle(node, 90_000);
  const audit = await auditNode(node, load, opening, net.genesis);
  await node.stop();
  const faults = [...load.surprises, ...audit.faults, ...(await findReexecutionFaults(home, audit))];
  return {
    seed: plan.seed,
    kills: plan.kills,
    killsWhileStarting: counts.starting,
    gracefulStops: counts.graceful,
    accepted: load.accepted.size,
    final: audit.final,
    height: audit.height,
    restartMs: spreadOf(restartsMs),
    faults,
  };
}

/** Runs the load, and kills the node in the middle of it. */
async function loadUntilKilled(load: Load, node: NodeProcess, afterMs: number): Promise<void> {
  const stop = new AbortController();
  const running = load.run(node, stop.signal);
  await Bun.sleep(afterMs);
  await node.kill();
  stop.abort();
  await running;
}

async function killWhileStarting(place: Workplace, home: string, afterMs: number): Promise<void> {
  const node = place.launch(home);
  await Bun.sleep(afterMs);
  await node.kill();
}

/** Executes the chain again from genesis and compares. */
export async function findReexecutionFaults(home: string, audit: Pick<Audit, "height" | "stateRoot">): Promise<string[]> {
  const { code, out, err } = await bizra("doctor", "--home", home, "--reexecute", "--json");
  if (code !== 0) return [`doctor --reexecute ended with ${code}: ${err}${out}`];
  const report = lastJson(out);
  const faults: string[] = [];
  if (report["ok"] !== true) faults.push(`doctor --reexecute is not content: ${out}`);
  if (report["height"] !== audit.height) faults.push(`re-executed to height ${String(report["height"])}, the node told ${audit.height}`);
  if (report["reexecutedStateRoot"] !== report["stateRoot"]) faults.push("re-execution from genesis gives another state root");
  if (report["stateRoot"] !== audit.stateRoot) faults.push("the doctor's state root is not the one the node told");
  return faults;
}

function spreadOf(values: readonly number[]): { p50: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: Math.round(sorted[Math.floor(sorted.length / 2)] ?? 0), max: Math.round(sorted.at(-1) ?? 0) };
}

/** The report as a line for people. */
export function describeKillReport(report: KillReport): string {
  const { seed, kills, killsWhileStarting, gracefulStops, accepted, final, height, restartMs, faults } = report;
  return (
    `seed ${seed}: ${kills} kills (${killsWhileStarting} while starting, ${gracefulStops} graceful stops between), ` +
    `${accepted} accepted, ${final} final at height ${height}, restart to ready p50 ${restartMs.p50} ms, max ${restartMs.max} ms, ${faults.length} faults`
  );
}
