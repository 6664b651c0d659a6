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
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(network: NodeNetwork, demo: DemoLoad, chance: Chance) {
    this.network = network;
    this.demo = demo;
    this.#chance = chance;
  }

  /** Reads where the accounts stand. */
  static async of(network: NodeNetwork, chance: Chance): Promise<NetworkLoad> {
    const node = network.any(chance);
    if (!node) throw new Error("a load needs a running node");
    return new NetworkLoad(network, await makeDemoLoad(network.net, node, chance, PAUSE_MS_MAX), chance);
  }

  /** Begins to submit. */
  start(): void {
    this.#running = Promise.all(this.demo.load.lanes.map((lane) => this.#run(lane)));
  }

  /** Ends the load, hands in what is open and waits until all is accepted. */
  async finish(limitMs = 30_000): Promise<void> {
    this.#stop.abort();
    await this.#running;
    const node = this.network.any(this.#chance);
    if (node) await this.demo.load.settle(node, limitMs);
  }

  async #run(lane: DemoLoad["load"]["lanes"][number]): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const node = this.network.any(this.#chance);
      if (node) await this.demo.load.runLane(node, lane, AbortSignal.any([this.#stop.signal, AbortSignal.timeout(500)]));
      else await Bun.sleep(10);
    }
  }
}

/** What the books of all nodes came to; `faults` is empty when they kept one chain and every promise. */
export type NetworkAudit = { readonly faults: readonly string[]; readonly final: number; readonly height: number };

/**
 * Audits every node against what was signed, compares their chains block by block, then stops them and executes each
 * node's chain again from genesis.
 */
export async function auditNetwork(load: NetworkLoad, limitMs = 30_000): Promise<NetworkAudit> {
  const { network, demo } = load;
  const faults = [...demo.load.surprises];
  const audits: Audit[] = [];
  for (const [index, node] of network.nodes.entries()) {
    if (!node) continue;
    const audit = await auditNode(node, demo.load, demo.opening, network.net.genesis, limitMs);
    faults.push(...audit.faults.map((fault) => `node ${index}: ${fault}`));
    audits.push(audit);
  }
  const [first] = audits;
  for (const [index, audit] of audits.entries()) {
    const differing = audit.hashes.findIndex((hash, at) => at < (first?.hashes.length ?? 0) && hash !== first?.hashes[at]);
    if (differing >= 0) faults.push(`node ${index} has another block at height ${differing + 1}`);
  }
  faults.push(...(await network.stop()));
  for (const [index, home] of network.net.homes.entries()) {
    const audit = audits[index];
    if (audit) faults.push(...(await findReexecutionFaults(home, audit)).map((fault) => `node ${index}: ${fault}`));
  }
  return { faults, final: first?.final ?? 0, height: first?.height ?? 0 };
}

/** What a storm of kills found. */
export type StormReport = NetworkAudit & {
  readonly kills: number;
  readonly accepted: number;
  /** From the start of a killed node until it was ready again, in ms. */
  readonly restartMs: { readonly p50: number; readonly max: number };
};

/**
 * Kills random nodes under load, now and then two at once or all of them, and starts them again; at the end everything is
 * audited.
 */
export async function runKillStorm(
  load: NetworkLoad,
  chance: Chance,
  plan: { readonly kills: number; readonly onProgress?: (line: string) => void },
): Promise<StormReport> {
  const { network } = load;
  const restarts: number[] = [];
  load.start();
  for (let kills = 0; kills < plan.kills; ) {
    await Bun.sleep(chance.between(50, 900));
    const count = chance.happens(0.05) ? network.nodes.length : chance.happens(0.2) ? 2 : 1;
    const indexes = chance.shuffled(network.nodes.map((_, index) => index)).slice(0, count);
    await Promise.all(indexes.map((index) => network.killNode(index)));
    kills += count;
    await Bun.sleep(chance.between(0, 700));
    const nodes = indexes.map((index) => network.launch(index));
    await Promise.all(nodes.map((node) => node.ready(60_000)));
    restarts.push(...nodes.map((node) => node.readyMs));
    plan.onProgress?.(
      `${kills}/${plan.kills} kills, ${load.demo.load.accepted.size} accepted, heights ${(await network.heights()).join(" ")}`,
    );
  }
  await load.finish(60_000);
  const audit = await auditNetwork(load, 60_000);
  const sorted = restarts.toSorted((a, b) => a - b);
  const restartMs = { p50: Math.round(sorted[sorted.length >> 1] ?? 0), max: Math.round(sorted.at(-1) ?? 0) };
  return { ...audit, kills: plan.kills, accepted: load.demo.load.accepted.size, restartMs };
}

/** The report as a line for people. */
export function describeStorm({ kills, accepted, final, height, restartMs, faults }: StormReport): string {
  return `${kills} kills, ${accepted} accepted, ${final} final at height ${height}, restart to ready p50 ${restartMs.p50} ms, max ${restartMs.max} ms, ${faults.length} faults`;
}
