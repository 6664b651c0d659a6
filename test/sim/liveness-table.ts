import { LAN_TIMERS } from "../../src/consensus/index.ts";
import { Cluster } from "./cluster.ts";

/** Block interval of a network some of whose boxes never say a word. */
export type LivenessRow = {
  readonly boxes: number;
  readonly silent: number;
  /** Mean milliseconds between blocks while the silent leaders still cost their deadlines. */
  readonly beforeSkipMs: number;
  /** The same once the silent leaders are skipped (R10). */
  readonly afterSkipMs: number;
  /** `afterSkipMs` by that of the same network with nobody silent; within 2 is promised. */
  readonly ratio: number;
};

const LINK_MS: readonly [number, number] = [0.2, 2];
/** Blocks counted before skipping: with F silent boxes they still lie within the first 32 certified views. */
const BEFORE_BLOCKS = 20;
const AFTER_MS = 5_000;
/** By then even a cycle of ten leaders has passed 32 certified views since the silent ones were first missed. */
const SKIPPED_BY_MS = 30_000;

/** Measures, in simulated time with LAN timers, what 0 to F silent boxes cost at these sizes. */
export function livenessTable(sizes: readonly number[] = [4, 7, 10]): readonly LivenessRow[] {
  return sizes.flatMap((boxes) => {
    const rows: LivenessRow[] = [];
    for (let silent = 0; silent <= Math.floor((boxes - 1) / 3); silent++) {
      const { beforeSkipMs, afterSkipMs } = measure(boxes, silent);
      rows.push({ boxes, silent, beforeSkipMs, afterSkipMs, ratio: afterSkipMs / (rows[0]?.afterSkipMs ?? afterSkipMs) });
    }
    return rows;
  });
}

function measure(boxes: number, silent: number): { beforeSkipMs: number; afterSkipMs: number } {
  const weights = Array.from({ length: boxes }, () => 1n);
  const cluster = new Cluster({ seed: 100 * boxes + silent, weights, profile: LAN_TIMERS, delayMs: LINK_MS });
  for (const node of cluster.nodes.slice(0, boxes - silent)) cluster.startNode(node);
  const end = SKIPPED_BY_MS + AFTER_MS;
  for (let at = 0; at < end; at += 50) cluster.schedule.after(at, () => cluster.spread(cluster.submit([0]), 10));
  cluster.run(SKIPPED_BY_MS, () => cluster.lowestHeight >= BEFORE_BLOCKS);
  const beforeSkipMs = cluster.schedule.nowMs / BEFORE_BLOCKS;
  cluster.run(SKIPPED_BY_MS - cluster.schedule.nowMs);
  const height = cluster.lowestHeight;
  cluster.run(AFTER_MS);
  const afterSkipMs = AFTER_MS / Math.max(1, cluster.lowestHeight - height);
  if (cluster.oracle.findings.length > 0) throw new Error(cluster.oracle.findings.join("; "));
  return { beforeSkipMs, afterSkipMs };
}
