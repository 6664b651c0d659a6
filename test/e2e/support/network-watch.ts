/** What tests wait for on a network of nodes under load, and how they see that a node takes part again. */
import { auditRunning, type NetworkLoad } from "./network-trial.ts";
import type { NodeNetwork } from "./node-network.ts";
import type { NodeProcess } from "./node-process.ts";

/** How long anything here may take before it counts as stuck. */
export const STUCK_AFTER_MS = 90_000;

/** What a node last wrote, requests aside. */
function lastWordsOf(node: NodeProcess | undefined): string {
  const lines = (node?.output ?? "nothing").split("\n").filter((line) => !line.includes('"http.request"'));
  return lines.join("\n").slice(-2_500);
}

/** The highest final height that any of these running nodes tells. */
export async function highestOf(network: NodeNetwork, indexes?: readonly number[]): Promise<number> {
  const heights = await network.heights();
  return Math.max(...heights.map((height, index) => (indexes && !indexes.includes(index) ? 0 : (height ?? 0))));
}

/**
 * Resolves when a condition holds; throws with what is waited for, and what a node last said, when it does not in time.
 *
 * @returns milliseconds it took
 */
export async function until(what: string, holds: () => Promise<boolean>, node?: NodeProcess, limitMs = STUCK_AFTER_MS): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > limitMs) throw new Error(`${what}: not after ${limitMs} ms; the node last said ${lastWordsOf(node)}`);
    await Bun.sleep(20);
  }
  return performance.now() - began;
}

/**
 * Resolves when a node's votes count again: a block is final that it led, above every block that is final now.
 *
 * @returns milliseconds it took
 */
export async function leadsAgain(network: NodeNetwork, index: number): Promise<number> {
  const others = network.nodes.flatMap((node, at) => (node && at !== index ? [at] : []));
  const witness = network.nodes[others[0] ?? -1];
  if (!witness) throw new Error("another node has to witness it");
  let next = (await highestOf(network, others)) + 1;
  return await until(
    `node ${index} leads a block`,
    async () => {
      const { blocks } = (await witness.get(`/api/v2/blocks?from=${next}&limit=100`)) as { blocks: { header: { leader: number } }[] };
      next += blocks.length;
      return blocks.some(({ header }) => header.leader === network.seats[index]);
    },
    network.nodes[index],
  );
}

/** Resolves when a node answers, ready or not, has every block that the others have, and leads again; prints how long each took. */
export async function tellRecovery(network: NodeNetwork, index: number, what: string): Promise<void> {
  const began = performance.now();
  const since = (): number => Math.round(performance.now() - began);
  const node = network.nodes[index];
  await node?.alive();
  const aliveMs = since();
  const height = await highestOf(network);
  await until("it is level", async () => Number((await node?.get("/api/v2/status"))?.["height"]) >= height, node);
  const levelMs = since();
  await leadsAgain(network, index);
  console.log(`network: ${what}: answers after ${aliveMs} ms, level after ${levelMs} ms, leads a final block after ${since()} ms`);
}

/**
 * Lets what is under way end and audits every running node; gives what is wrong.
 *
 * @param goesOn whether the load begins again afterwards
 */
export async function pauseAndAudit(load: NetworkLoad, goesOn = true): Promise<readonly string[]> {
  await load.finish(STUCK_AFTER_MS);
  const { faults } = await auditRunning(load);
  if (goesOn) load.start();
  return faults.slice(0, 20);
}
