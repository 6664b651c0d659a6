import { recoveryAllows } from "../../src/consensus/index.ts";
import { present } from "../../src/kernel/index.ts";
import { Cluster } from "./cluster.ts";
import { Saboteur } from "./saboteur.ts";
import type { SimNode } from "./sim-node.ts";

/**
 * Which faults a run knows, beside load: `crashes` (at any effect, with or without power cut), loss and partitions are in
 * all; `traitors` of weight F at most; `wipes` of a journal now and then; `oldImages`, one box's journal put back from a
 * while ago (it counts toward F); `epochs` of five blocks whose set changes.
 */
export type Plan = "crashes" | "traitors" | "wipes" | "oldImages" | "epochs";

/** All plans. */
export const PLANS: readonly Plan[] = ["crashes", "traitors", "wipes", "oldImages", "epochs"];

/** What one run under random faults came to. */
export type ChaosOutcome = {
  readonly seed: number;
  readonly plan: Plan;
  readonly findings: readonly string[];
  /** Whether the chain moved on within the bound after everything was healed. */
  readonly isLive: boolean;
  readonly crashes: number;
  readonly wipes: number;
  /** Pieces of evidence against traitors. */
  readonly convictions: number;
  /** Lowest height of the honest boxes. */
  readonly height: number;
  readonly simulatedMs: number;
  /** Hash of all that was delivered: equal runs, equal traces. */
  readonly trace: number;
};

const WEIGHTS: readonly (readonly bigint[])[] = [
  [1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n, 1n],
  [1n, 2n, 3n, 3n, 2n, 2n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n],
  [1n],
];
const FAULTS_MS = 15_000;

/**
 * One seed: a network under load suffers the plan's faults, then everything heals and must move on. Equal seeds and plans
 * give equal runs.
 */
export function runChaos(seed: number, plan: Plan = present(PLANS[seed % PLANS.length], "a plan for each remainder")): ChaosOutcome {
  const weights = present(WEIGHTS[Math.floor(seed / PLANS.length) % (plan === "wipes" || plan === "oldImages" ? 4 : 5)], "some weights");
  const isMany = weights.length > 4;
  const cluster = new Cluster({
    seed,
    weights,
    epochBlocks: plan === "epochs" ? 5 : seed % 4 === 0 ? 7 : 1_000_000,
    hasSetChanges: plan === "epochs" && isMany && seed % 2 === 0,
    loss: (seed % 4) * 0.05,
    delayMs: [0.2, 30],
  });
  const faults = new Faults(cluster, plan);
  if (plan === "traitors")
    for (const index of traitorsOf(weights)) new Saboteur(present(cluster.nodes[index], "an index of the network"), seed);
  cluster.start();
  faults.schedule();
  cluster.run(FAULTS_MS + 2_000);
  const goal = Math.max(...cluster.nodes.map((node) => node.chain.committed.length)) + 3;
  for (let at = 0; at < 60_000; at += 300) cluster.schedule.after(at, () => cluster.spread(cluster.submit(), 200));
  const isLive = (): boolean => cluster.lowestHeight >= goal && cluster.nodes.every((node) => node.isUp);
  cluster.run(60_000, isLive);
  return {
    seed,
    plan,
    findings: cluster.oracle.findings,
    isLive: isLive(),
    crashes: faults.crashes,
    wipes: faults.wipes,
    convictions: cluster.oracle.convictedCount,
    height: cluster.lowestHeight,
    simulatedMs: cluster.schedule.nowMs,
    trace: cluster.trace,
  };
}

class Faults {
  crashes = 0;
  wipes = 0;
  readonly #cluster: Cluster;
  readonly #plan: Plan;
  #isHealed = false;
  readonly #images = new Map<SimNode, ReadonlyMap<string, Uint8Array>>();

  constructor(cluster: Cluster, plan: Plan) {
    this.#cluster = cluster;
    this.#plan = plan;
  }

  schedule(): void {
    const { schedule, prng } = this.#cluster;
    for (let at = 0; at < FAULTS_MS; at += 200) {
      schedule.after(at, () => {
        if (prng.chance(0.7)) this.#cluster.spread(this.#cluster.submit(), 2_000);
        this.#maybeCrash();
      });
    }
    for (let at = 1_000; at < FAULTS_MS; at += 2_000) schedule.after(at, () => this.#partition());
    schedule.after(FAULTS_MS, () => this.#heal());
  }

  #maybeCrash(): void {
    const { prng, nodes } = this.#cluster;
    const node = present(nodes[prng.below(nodes.length)], "an index of the network");
    if (!node.isUp || !prng.chance(0.15)) return;
    this.crashes++;
    if (this.#plan === "wipes" && this.#mayLose(node) && prng.chance(0.5)) {
      this.wipes++;
      this.#cluster.crashNode(node, true, Number.POSITIVE_INFINITY);
      node.wipeJournal();
      this.#cluster.schedule.after(10 + prng.below(300), () => this.#cluster.startNode(node));
    } else if (this.#plan === "oldImages" && node === nodes[0] && prng.chance(0.5)) this.#restoreImage(node);
    else node.crashAfterEffects = prng.below(40);
  }

  /** R14 heals one lost journal at a time: more than F silent at once takes a recovery genesis. */
  #mayLose(node: SimNode): boolean {
    return this.#cluster.nodes.every((other) => other === node || isFree(other));
  }

  #restoreImage(node: SimNode): void {
    const image = this.#images.get(node);
    const { prng } = this.#cluster;
    if (!image) {
      this.#images.set(node, node.disk.image());
      return;
    }
    this.wipes++;
    this.#cluster.crashNode(node, true, Number.POSITIVE_INFINITY);
    node.restoreJournal(image);
    this.#images.delete(node);
    this.#cluster.schedule.after(10 + prng.below(300), () => this.#cluster.startNode(node));
  }

  /** Cuts the network in two at random, one way or both; often the cut is empty, which heals it. */
  #partition(): void {
    const { prng, nodes } = this.#cluster;
    const side = nodes.map(() => prng.chance(0.3));
    const isOneWay = prng.chance(0.3);
    if (!this.#isHealed) this.#cluster.network.isLinkUp = (from, to) => side[from] === side[to] || (isOneWay && side[from] === true);
  }

  #heal(): void {
    this.#isHealed = true;
    this.#cluster.network.isLinkUp = () => true;
    for (const node of this.#cluster.nodes) node.crashAfterEffects = -1;
  }
}

/** Indexes of boxes that weigh no more than F together. */
function traitorsOf(weights: readonly bigint[]): number[] {
  let left = (weights.reduce((sum, weight) => sum + weight, 0n) - 1n) / 3n;
  return weights.flatMap((weight, index) => {
    if (weight > left) return [];
    left -= weight;
    return [index];
  });
}

/** Whether a box is up and past its gate, if it has one. */
function isFree(node: SimNode): boolean {
  const status = node.status();
  if (!status || status.recovery.kind === "recovering") return false;
  return recoveryAllows(status.recovery, status);
}
