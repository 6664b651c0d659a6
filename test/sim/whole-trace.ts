import { present } from "../../src/kernel/index.ts";
import { Cluster } from "./cluster.ts";
import { WholeWorld } from "./whole-world.ts";

/** A cluster of one whole node. */
export function makeAlone(seed: number): { readonly cluster: Cluster; readonly world: WholeWorld } {
  const cluster = new Cluster({ seed, weights: [1n], fidelity: "whole" });
  const { world } = cluster;
  if (!(world instanceof WholeWorld)) throw new Error("a whole cluster has a whole world");
  return { cluster, world };
}

/**
 * A box alone under load, stopped before its n-th effect from the start on, and again before the n-th of the start that
 * follows; what it came to.
 */
export function runAlone(seed: number, crashAfterEffects: number, crashAfterStartEffects = -1) {
  const { cluster, world } = makeAlone(seed);
  const node = present(cluster.nodes[0], "one box");
  node.crashAfterEffects = crashAfterEffects;
  cluster.start();
  node.crashAfterStartEffects = crashAfterStartEffects;
  for (let at = 0; at < 1_500; at += 150) cluster.schedule.after(at, () => void cluster.submit());
  const isDone = () => cluster.schedule.nowMs > 1_600 && world.load.pendingCount === 0;
  cluster.run(20_000, isDone);
  const { submittedCount, finalCount } = world.load;
  return { findings: cluster.oracle.findings, submittedCount, finalCount, starts: node.startCount, trace: cluster.trace };
}

if (import.meta.main) {
  const [seed = 1, crashAfterEffects = -1] = process.argv.slice(2).map(Number);
  process.stdout.write(JSON.stringify(runAlone(seed, crashAfterEffects)));
}
