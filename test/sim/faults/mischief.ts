import { recoveryAllows } from "../../../src/consensus/index.ts";
import { Prng, present } from "../../../src/kernel/index.ts";
import type { Cluster } from "../cluster.ts";
import type { SimNode } from "../sim-node.ts";

/** By then every box that was down when all was healed has come up. */
const RETIRE_AFTER_MS = 1_000;

/** What a run's faults came to. */
export type FaultCounts = { crashes: number; journalLosses: number; diskFaults: number; directedHits: number };

/**
 * What every fault is given: the cluster, a generator of its own, the time it has, and the count of weight that may still
 * become faulty. After `heal` no fault acts any more.
 */
export class Mischief {
  readonly cluster: Cluster;
  readonly prng: Prng;
  readonly windowMs: number;
  readonly counts: FaultCounts = { crashes: 0, journalLosses: 0, diskFaults: 0, directedHits: 0 };
  isOver = false;
  /** Weight of validators that may still break rules: the least F of all sets to begin with. */
  #faultyWeightLeft: bigint;
  /** Boxes that lost a journal on purpose. */
  readonly #lost = new Set<SimNode>();
  readonly #faultyWeightMax: bigint;
  readonly #weights: readonly bigint[];
  readonly #faulty = new Set<SimNode>();
  readonly #onHeal: (() => void)[] = [];

  constructor(cluster: Cluster, seed: number, faulty: { readonly max: bigint; readonly weights: readonly bigint[] }, windowMs: number) {
    this.cluster = cluster;
    this.prng = new Prng(seed);
    this.windowMs = windowMs;
    this.#weights = faulty.weights;
    this.#faultyWeightLeft = faulty.max;
    this.#faultyWeightMax = faulty.max;
  }

  /** Runs an action again and again in the window, about so far apart. */
  every(ms: number, action: () => void): void {
    const { schedule } = this.cluster;
    const next = (): void => {
      if (this.isOver) return;
      action();
      schedule.after(ms * (0.5 + this.unit()), next);
    };
    schedule.after(ms * this.unit(), next);
  }

  /** Runs an action after a delay unless all was healed meanwhile. */
  later(ms: number, action: () => void): void {
    this.cluster.schedule.after(ms, () => {
      if (!this.isOver) action();
    });
  }

  /** Registers what brings a fault to an end. */
  onHeal(action: () => void): void {
    this.#onHeal.push(action);
  }

  /** A number in 0..1. */
  unit(): number {
    return this.prng.uint32() / 2 ** 32;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return present(items[this.prng.below(items.length)], "there is something to pick from");
  }

  /** A box at random. */
  box(): SimNode {
    return this.pick(this.cluster.nodes);
  }

  /**
   * Whether this box may become faulty: its weight still fits into F, or it is faulty already. Says yes only when the
   * caller then makes it so.
   */
  mayTurn(node: SimNode): boolean {
    if (this.#faulty.has(node)) return true;
    const weight = this.#weights[this.cluster.nodes.indexOf(node)] ?? this.#faultyWeightLeft + 1n;
    if (weight > this.#faultyWeightLeft) return false;
    this.#faultyWeightLeft -= weight;
    this.#faulty.add(node);
    return true;
  }

  /**
   * Whether a journal may be lost now: R14 heals one at a time, more silent ones at once take a recovery genesis. A box
   * whose gate is passed and has not ended is silent again when the epoch ends, until it was answered anew. Those that answer the lost box must weigh 2F+1, and
   * a faulty box may refuse. Says yes only when the caller then loses it.
   */
  mayLoseJournal(node: SimNode): boolean {
    const others = this.cluster.nodes.filter((other) => other !== node);
    const answering = others.filter((other) => !this.#faulty.has(other)).reduce((sum, other) => sum + this.#weightOf(other), 0n);
    if (answering <= 2n * this.#faultyWeightMax || !others.every(hasNoGateAhead)) return false;
    this.#lost.add(node);
    return true;
  }

  /**
   * Whether what was done may keep the network from moving on: boxes that are faulty, or that wait behind the gate of a
   * journal lost on purpose, weigh more than F together. Safety is promised then, progress is not.
   */
  get isBeyondRepair(): boolean {
    const silent = this.cluster.nodes.filter((node) => node.isFaulty || (this.#lost.has(node) && !hasNoGateAhead(node)));
    return silent.reduce((sum, node) => sum + this.#weightOf(node), 0n) > this.#faultyWeightMax;
  }

  #weightOf(node: SimNode): bigint {
    return this.#weights[this.cluster.nodes.indexOf(node)] ?? 0n;
  }

  /** Stops a box and starts it again after a while. */
  crash(node: SimNode, isPowerCut: boolean, downMs = 10 + this.prng.below(500), whileDown: () => void = () => {}): void {
    if (!node.isUp) return;
    this.counts.crashes++;
    this.cluster.crashNode(node, isPowerCut, Number.POSITIVE_INFINITY);
    whileDown();
    this.cluster.schedule.after(downMs, () => {
      if (!node.isUp) this.cluster.startNode(node);
    });
  }

  /** Loses a box's journal while it is down. */
  wipe(node: SimNode): void {
    this.counts.journalLosses++;
    this.crash(node, true, 10 + this.prng.below(300), () => node.wipeJournal());
  }

  /** Ends all faults: links, clocks and disks are well; boxes that are down come up by themselves. */
  heal(): void {
    this.isOver = true;
    const { cluster } = this;
    cluster.network.heal();
    cluster.isLinkUp = () => true;
    for (const node of cluster.nodes) {
      node.crashAfterEffects = -1;
      node.crashAfterStartEffects = -1;
      node.crashBefore = undefined;
      node.host.heal();
      node.disk.failingSyncCount = 0;
      node.disk.capacityBytes = Number.POSITIVE_INFINITY;
      node.disk.healReads();
      if (node.disk.liesAboutSync) node.disk.liesAboutSync = false;
    }
    for (const action of this.#onHeal) action();
    // Of two boxes with one key the operator turns one off.
    const seen = new Set<string>();
    for (const node of cluster.nodes) {
      if (seen.has(node.id)) cluster.schedule.after(RETIRE_AFTER_MS, () => cluster.crashNode(node, false, Number.POSITIVE_INFINITY));
      seen.add(node.id);
    }
    // Alone, a box that could not open its journal stays mute for good; its operator starts it again once the disk is well.
    for (const node of cluster.nodes) if (node.status()?.voting === "mute") this.crash(node, false);
  }
}

/** Whether a box is up and past its gate, if it has one. */
export function isFree(node: SimNode): boolean {
  const status = node.status();
  if (!status || status.recovery.kind === "recovering") return false;
  return recoveryAllows(status.recovery, status);
}

function hasNoGateAhead(node: SimNode): boolean {
  return isFree(node) && node.status()?.recovery.kind !== "gated";
}
