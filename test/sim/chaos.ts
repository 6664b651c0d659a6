import { present } from "../../src/kernel/index.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { Saboteur } from "./saboteur.ts";

/** What one run under random faults came to. */
export type ChaosOutcome = {
  readonly seed: number;
  readonly findings: readonly string[];
  /** Whether the chain moved on within the bound after everything was healed. */
  readonly isLive: boolean;
  readonly crashes: number;
  /** Pieces of evidence against traitors. */
  readonly convictions: number;
  readonly height: number;
  readonly simulatedMs: number;
};

const CONFIGURATIONS: readonly (readonly bigint[])[] = [
  [1n],
  [1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n, 1n],
  [1n, 2n, 3n, 3n, 2n, 2n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n],
];

/**
 * One seed: a network under load suffers loss, partitions and crashes at random effects, then everything heals and must
 * move on. Equal seeds give equal runs.
 */
export function runChaos(seed: number, overrides: Partial<ClusterOptions> = {}): ChaosOutcome {
  const weights = present(CONFIGURATIONS[seed % CONFIGURATIONS.length], "a configuration for each remainder");
  const cluster = new Cluster({
    seed,
    weights,
    epochBlocks: seed % 3 === 0 ? 5 : 1_000_000,
    loss: (seed % 4) * 0.05,
    delayMs: [0.2, 30],
    ...overrides,
  });
  const { prng, schedule, nodes } = cluster;
  let crashes = 0;
  for (const traitor of traitorsOf(weights, seed)) {
    const node = present(nodes[traitor], "an index of the network");
    new Saboteur(node, seed);
  }
  cluster.start();
  const faultsEndMs = 15_000;
  for (let at = 0; at < faultsEndMs; at += 200) {
    schedule.after(at, () => {
      if (prng.chance(0.7)) cluster.spread(cluster.submit(), 2_000);
      const node = present(nodes[prng.below(nodes.length)], "an index of the network");
      if (!node.isUp || !prng.chance(0.15)) return;
      crashes++;
      node.crashAfterEffects = prng.below(40);
    });
  }
  for (let at = 1_000; at < faultsEndMs; at += 2_000) schedule.after(at, () => partition(cluster));
  schedule.after(faultsEndMs, () => {
    cluster.isLinkUp = () => true;
    for (const node of nodes) node.crashAfterEffects = -1;
  });
  cluster.run(faultsEndMs + 2_000);
  const goal = Math.max(...nodes.map((node) => node.chain.committed.length)) + 3;
  schedule.after(0, () => cluster.spread(cluster.submit(), 500));
  for (let at = 0; at < 60_000; at += 300) schedule.after(at, () => cluster.spread(cluster.submit(), 200));
  cluster.run(60_000, () => cluster.lowestHeight >= goal);
  return {
    seed,
    findings: cluster.oracle.findings,
    isLive: cluster.lowestHeight >= goal,
    crashes,
    convictions: cluster.oracle.convictedCount,
    height: cluster.lowestHeight,
    simulatedMs: schedule.nowMs,
  };
}

/** Indexes of boxes that weigh no more than F together; none in half of the seeds. */
function traitorsOf(weights: readonly bigint[], seed: number): number[] {
  if (seed % 2 === 0 || weights.length === 1) return [];
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  let left = (total - 1n) / 3n;
  return weights.flatMap((weight, index) => {
    if (weight > left) return [];
    left -= weight;
    return [index];
  });
}

/** Cuts the network in two at random, one way or both; often the cut is empty, which heals it. */
function partition(cluster: Cluster): void {
  const { prng, nodes } = cluster;
  const side = nodes.map(() => prng.chance(0.3));
  const isOneWay = prng.chance(0.3);
  cluster.isLinkUp = (from, to) => side[from] === side[to] || (isOneWay && side[from] === true);
}
