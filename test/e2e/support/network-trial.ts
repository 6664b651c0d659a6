import { type Audit, auditNode } from "./audit.ts";
import type { Chance } from "./chance.ts";
import { type DemoLoad, makeDemoLoad } from "./demo-load.ts";
import { findReexecutionFaults } from "./kill-trial.ts";
import type { NodeNetwork } from "./node-network.ts";

/** Longest pause of an account between submissions: several boxes share this machine. */
const PAUSE_MS_MAX = 60;

/** Load on a network of nodes: each account submits to one running node for a while, then to another. */
export class NetworkLoad {
  readonly network: NodeNetwork;
  readonly demo: DemoLoad;
  readonly #chance: Chance;
  #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(network: NodeNetwork, demo: DemoLoad, chance: Chance) {
    this.network = network;
    this.demo = demo;
    this.#chance = chance;
  }

  /**
   * Reads where the accounts stand.
   *
   * @param pauseMsMax longest pause of an account between submissions
   */
  static async of(network: NodeNetwork, chance: Chance, pauseMsMax = PAUSE_MS_MAX): Promise<NetworkLoad> {
    const node = network.any(chance);
    if (!node) throw new Error("a load needs a running node");
    return new NetworkLoad(network, await makeDemoLoad(network.net, node, chance, pauseMsMax), chance);
  }

  /** Begins to submit, or goes on after it was finished. */
  start(): void {
    this.#stop = new AbortController();
    this.#running = Promise.all(this.demo.load.lanes.map((lane) => this.#run(lane)));
  }

  /** Ends the load. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Ends the load, hands in what is open and waits until all is accepted. */
  async finish(limitMs = 90_000): Promise<void> {
    await this.stop();
    const node = this.network.any(this.#chance);
    if (node) await this.demo.load.settle(node, limitMs);
  }

  async #run(lane: DemoLoad["load"]["lanes"][number]): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const node = this.network.any(this.#chance);
      if (node) await this.demo.load.runLane(node, lane, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(500)]));
      await Bun.sleep(5); // also where a node just ended: nothing else would let time pass
    }
  }
}

/** What the books of all nodes came to; `faults` is empty when they kept one chain and every promise. */
export type NetworkAudit = { readonly faults: readonly string[]; readonly final: number; readonly height: number };

/**
 * Audits every node against what was signed, compares their chains block by block, then stops them and executes each
 * node's chain again from genesis.
 */
export async function auditNetwork(load: NetworkLoad, limitMs = 90_000): Promise<NetworkAudit> {
  const { network } = load;
  const { faults, audits } = await auditRunning(load, limitMs);
  faults.push(...(await network.stop()));
  for (const [index, home] of network.net.homes.entries()) {
    const audit = audits.get(index);
    if (audit) faults.push(...(await findReexecutionFaults(home, audit)).map((fault) => `node ${index}: ${fault}`));
  }
  const [first] = audits.values();
  return { faults, final: first?.final ?? 0, height: first?.height ?? 0 };
}

/**
 * Audits every running node against what was signed and compares their chains block by block; they go on running. The
 * load must have been finished.
 *
 * @returns what each came to, by index
 */
export async function auditRunning(load: NetworkLoad, limitMs = 90_000): Promise<{ faults: string[]; audits: Map<number, Audit> }> {
  const { network, demo } = load;
  const faults = [...demo.load.surprises];
  const audits = new Map<number, Audit>();
  await nothingPends(network, limitMs);
  for (const [index, node] of network.nodes.entries()) {
    if (!node) continue;
    const audit = await auditNode(node, demo.load, demo.opening, network.net.genesis, limitMs);
    faults.push(...audit.faults.map((fault) => `node ${index}: ${fault}`));
    audits.set(index, audit);
  }
  const [first] = audits.values();
  for (const [index, { hashes, stateRoot, height }] of audits) {
    const differing = hashes.findIndex((hash, at) => at < (first?.hashes.length ?? 0) && hash !== first?.hashes[at]);
    if (differing >= 0) faults.push(`node ${index} has another block at height ${differing + 1}`);
    if (height === first?.height && stateRoot !== first.stateRoot) faults.push(`node ${index} has another state root at height ${height}`);
  }
  return { faults, audits };
}

/** Waits until no node holds anything pending: a node may know nothing yet of what another has accepted. */
async function nothingPends(network: NodeNetwork, limitMs: number): Promise<void> {
  const deadline = performance.now() + limitMs;
  const isPending = async (): Promise<boolean> => {
    const all = await Promise.all(network.nodes.map(async (node) => (await node?.get("/api/v2/status"))?.["pending"]));
    return all.some((pending) => ((pending as { transactions: number } | undefined)?.transactions ?? 0) > 0);
  };
  while ((await isPending()) && performance.now() < deadline) await Bun.sleep(20);
}

/** What a storm of kills found. */
export type StormReport = NetworkAudit & {
  readonly kills: number;
  readonly accepted: number;
  /** From the start of a killed node until it was ready again, in ms. */
  readonly restartMs: { readonly p50: number; readonly max: number };
};

/** How often all are killed at once, how often two are, and how often one that starts is killed again. */
const ALL_SHARE = 0.05;
const TWO_SHARE = 0.2;
const STARTING_SHARE = 0.2;

/** What a storm is told. */
export type StormPlan = {
  readonly kills: number;
  /** Told what happened after each round, with the milliseconds that the restarts of the round took. */
  readonly onRound?: (round: { readonly kills: number; readonly restartMs: readonly number[] }) => void | Promise<void>;
};

/**
 * Kills random nodes under load, now and then two at once, all of them, or one while it starts, and starts them again; at
 * the end everything is audited. The load runs when this is called, or begins.
 */
export async function runKillStorm(load: NetworkLoad, chance: Chance, plan: StormPlan): Promise<StormReport> {
  const { network } = load;
  const restarts: number[] = [];
  load.start();
  for (let kills = 0; kills < plan.kills; ) {
    await Bun.sleep(chance.between(50, 900));
    const count = chance.happens(ALL_SHARE) ? network.nodes.length : chance.happens(TWO_SHARE) ? 2 : 1;
    const indexes = chance.shuffled(network.nodes.map((_, index) => index)).slice(0, count);
    await Promise.all(indexes.map((index) => network.killNode(index)));
    kills += count;
    await Bun.sleep(chance.between(0, 700));
    if (chance.happens(STARTING_SHARE) && indexes[0] !== undefined) {
      network.launch(indexes[0]);
      await Bun.sleep(chance.between(0, 500));
      await network.killNode(indexes[0]);
      kills++;
    }
    const nodes = indexes.map((index) => network.launch(index));
    await Promise.all(nodes.map((node) => node.ready(90_000)));
    const restartMs = nodes.map(({ readyMs }) => readyMs);
    restarts.push(...restartMs);
    await plan.onRound?.({ kills, restartMs });
  }
  await load.finish(90_000);
  const audit = await auditNetwork(load, 90_000);
  return { ...audit, kills: plan.kills, accepted: load.demo.load.accepted.size, restartMs: spreadOf(restarts) };
}

/** The median and the greatest of some values, whole. */
export function spreadOf(values: readonly number[]): { p50: number; max: number } {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: Math.round(sorted[sorted.length >> 1] ?? 0), max: Math.round(sorted.at(-1) ?? 0) };
}

/** The report as a line for people. */
export function describeStorm({ kills, accepted, final, height, restartMs, faults }: StormReport): string {
  return `${kills} kills, ${accepted} accepted, ${final} final at height ${height}, restart to ready p50 ${restartMs.p50} ms, max ${restartMs.max} ms, ${faults.length} faults`;
}
