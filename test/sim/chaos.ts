import type { Cluster } from "./cluster.ts";
import { Cluster as SimCluster } from "./cluster.ts";
import { isFree, Mischief } from "./faults/mischief.ts";
import { FAULTS } from "./faults.ts";
import { watchLightClient } from "./light-client.ts";
import { leastOf, type Plan, type Setup, setupOf } from "./plans.ts";

export { isPlan, PLANS, type Plan } from "./plans.ts";

/** What one run under random faults came to. */
export type ChaosOutcome = {
  readonly seed: number;
  readonly plan: Plan;
  /** Safety properties that broke, a sentence each. */
  readonly findings: readonly string[];
  /** Whether after the healing all came true that must: see `notLive`. */
  readonly isLive: boolean;
  /** What did not come true. */
  readonly notLive: readonly string[];
  /** It stood still, and by the rules it may: faulty and recovering boxes weigh more than F. Only safety was judged. */
  readonly isBeyondRepair: boolean;
  readonly events: number;
  readonly crashes: number;
  /** Journals lost or put back. */
  readonly wipes: number;
  /** Strikes of directed faults. */
  readonly directedHits: number;
  /** Pieces of evidence against traitors. */
  readonly convictions: number;
  /** Lowest height of the honest boxes. */
  readonly height: number;
  readonly simulatedMs: number;
  /** Simulated time from the healing until all moved on. */
  readonly recoveryMs: number;
  /** Hash of all that was delivered: equal runs, equal traces. */
  readonly trace: number;
};

/** Simulated time in which a healed network must have moved on: timers are capped at 10 s (LAN) and 30 s (WAN). */
const LIVE_WITHIN_MS = { lan: 60_000, wan: 180_000 } as const;
/** Blocks that must come after the healing. */
const BLOCKS_AFTER = 3;
/** How long an idle network is watched. */
const IDLE_MS = 8_000;

/**
 * One seed: a network under load suffers the plan's faults, then everything heals and must move on, then the load ends and
 * it must come to rest. Equal seeds and plans give equal runs.
 */
export function runChaos(seed: number, plan?: Plan): ChaosOutcome {
  return runSetup(setupOf(seed, plan));
}

/** As `runChaos`, on a set-up that may be no seed's; `prepare` sees the cluster before it starts. */
export function runSetup(setup: Setup, prepare: (cluster: Cluster) => void = () => {}): ChaosOutcome {
  const cluster = new SimCluster(setup.cluster);
  cluster.oracle.lightClient = watchLightClient(cluster, setup.seed, cluster.keys.suite).check;
  prepare(cluster);
  const mischief = new Mischief(cluster, setup.seed + 0x5eed, faultyWeightOf(cluster, setup), setup.windowMs);
  for (const name of setup.faults) FAULTS[name](mischief);
  cluster.start();
  const load = new Load(cluster, setup.loadEveryMs);
  cluster.run(setup.windowMs);
  mischief.heal();
  const healedAtMs = cluster.schedule.nowMs;
  const notLive = cluster.oracle.findings.length > 0 ? [] : watchHealing(cluster, setup, load);
  const recoveryMs = cluster.schedule.nowMs - healedAtMs;
  const isBeyondRepair = notLive.length > 0 && mischief.isBeyondRepair;
  if (notLive.length === 0 && cluster.oracle.findings.length === 0) notLive.push(...watchIdleness(cluster, load));
  const outcome: ChaosOutcome = {
    seed: setup.seed,
    plan: setup.plan,
    findings: cluster.oracle.findings,
    isLive: (notLive.length === 0 || isBeyondRepair) && cluster.oracle.findings.length === 0,
    notLive: isBeyondRepair ? [] : notLive,
    isBeyondRepair,
    events: cluster.schedule.eventCount,
    crashes: cluster.nodes.reduce((sum, node) => sum + node.startCount - 1, 0),
    wipes: mischief.counts.journalLosses,
    directedHits: mischief.counts.directedHits,
    convictions: cluster.oracle.convictedCount,
    height: cluster.lowestHeight,
    simulatedMs: Math.round(cluster.schedule.nowMs),
    recoveryMs: Math.round(recoveryMs),
    trace: cluster.trace,
  };
  cluster.end();
  return outcome;
}

/** The command that replays a run. */
export function replayLine({ seed, plan }: Pick<ChaosOutcome, "seed" | "plan">): string {
  return `bizra sim --seed ${seed} --runs 1 --plan ${plan}`;
}

/** Submits to one box at a time, and knows what everybody must have executed in the end. */
class Load {
  readonly #cluster: Cluster;
  readonly #everyMs: number;
  readonly #submitted: Uint8Array[] = [];
  #isOn = true;

  constructor(cluster: Cluster, everyMs: number) {
    this.#cluster = cluster;
    this.#everyMs = everyMs;
    this.#next();
  }

  stop(): void {
    this.#isOn = false;
    this.#cluster.world.rest();
  }

  /** Whether a box has executed all that was submitted. */
  isDoneAt(node: Cluster["nodes"][number]): boolean {
    return this.#submitted.every((id) => this.#cluster.world.isFinal(node, id));
  }

  #next(): void {
    if (!this.#isOn) return;
    const { schedule, prng } = this.#cluster;
    const id = this.#cluster.submit();
    this.#submitted.push(id);
    this.#cluster.spread(id, prng.chance(0.9) ? 300 : 2_000);
    schedule.after(this.#everyMs * (0.5 + prng.uint32() / 2 ** 32), () => this.#next());
  }
}

/** After the healing: the floor advances everywhere, an epoch further where epochs are short, and what was submitted is final. */
function watchHealing(cluster: Cluster, setup: Setup, load: Load): string[] {
  const boundMs = setup.profile.heartbeatMs > 60_000 ? LIVE_WITHIN_MS.wan : LIVE_WITHIN_MS.lan;
  const honest = keepers(cluster).filter((node) => !node.tamper);
  const highest = Math.max(...honest.map((node) => node.chain.committed.length));
  const { epochBlocks = 0 } = setup.cluster;
  const goal = highest + (epochBlocks < 20 ? Math.max(BLOCKS_AFTER, epochBlocks + 1) : BLOCKS_AFTER);
  const hasMoved = (): boolean => honest.every((node) => node.isUp) && cluster.lowestHeight >= goal;
  // Gates open by views, and an idle network has none: the load goes on until everybody votes again.
  cluster.run(boundMs, () => hasMoved() && honest.every(isFree));
  load.stop();
  if (cluster.oracle.findings.length > 0) return [];
  const faults: string[] = [];
  if (!hasMoved()) faults.push(`the floor did not advance to ${goal} everywhere within ${boundMs} ms: ${describe(honest)}`);
  else if (!honest.every(isFree)) faults.push(`a recovery does not end within ${boundMs} ms: ${describe(honest)}`);
  else if (!cluster.run(boundMs, () => honest.every((node) => load.isDoneAt(node))) && cluster.oracle.findings.length === 0)
    faults.push(`what was submitted is not final everywhere ${boundMs} ms after the load: ${describe(honest)}`);
  return faults;
}

/** Without work nobody votes and no view is left. */
function watchIdleness(cluster: Cluster, load: Load): string[] {
  load.stop();
  const honest = cluster.nodes.filter((node) => !node.isFaulty);
  const isTraitorFree = cluster.nodes.length === honest.length;
  cluster.run(5_000);
  const before = honest.map((node) => node.status()?.view ?? 0);
  const votes = cluster.oracle.voteCount;
  cluster.run(IDLE_MS);
  if (cluster.oracle.findings.length > 0) return [];
  const moved = honest.filter((node, i) => (node.status()?.view ?? 0) > (before[i] ?? 0) + 1);
  if (moved.length > 0) return [`an idle network changes views: ${describe(moved)}`];
  return isTraitorFree && cluster.oracle.voteCount > votes
    ? [`an idle network casts votes, ${cluster.oracle.voteCount - votes} in ${IDLE_MS} ms`]
    : [];
}

/** Boxes that stay: of several with one key the first. */
function keepers({ nodes }: Cluster): Cluster["nodes"] {
  return nodes.filter((node, i) => nodes.findIndex((other) => other.id === node.id) === i);
}

function describe(nodes: Cluster["nodes"]): string {
  return nodes
    .map((node) => {
      const status = node.status();
      return status ? `${node.name} ${status.voting} at height ${status.height}, view ${status.epoch}:${status.view}` : `${node.name} down`;
    })
    .join("; ");
}

/** The least F of the sets that a run will see: faults stay within it in every epoch. */
function faultyWeightOf(
  cluster: Cluster,
  { cluster: { hasSetChanges, weights } }: Setup,
): { readonly max: bigint; readonly weights: readonly bigint[] } {
  const epochs = hasSetChanges ? weights.length : 1;
  const max = leastOf(Array.from({ length: epochs }, (_, epoch) => cluster.rules.setOf(epoch).faultyWeightMax));
  const cloned = cluster.nodes
    .filter((node, i) => node.sharesKey && i < weights.length)
    .reduce((sum, node) => sum + (weights[cluster.nodes.indexOf(node)] ?? 0n), 0n);
  return { max: max / cluster.world.weightUnit - cloned, weights };
}
