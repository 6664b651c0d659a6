import type { Configuration } from "../config/index.ts";

/** How much goes at a time, and what stays in any case. */
export type PruneTuning = {
  /** Rows let go of in one durable step: some milliseconds, and a sync. */
  readonly stepBlocks: number;
  /** Blocks that stay whatever the policy says: proofs, peers a little behind and those that just took a snapshot need them. */
  readonly keepBlocksLeast: number;
};

/** What a node uses. */
export const PRUNE_TUNING: PruneTuning = { stepBlocks: 256, keepBlocksLeast: 256 };

/** What is kept: nothing is let go of when an archive is asked for, or when no bound is set. */
export type PrunePolicy = Pick<Configuration["storage"], "archive" | "keepBlocks" | "keepEpochs">;

/**
 * The height below which a policy wants nothing any more; 0 when it wants everything. With several bounds the one that keeps
 * most counts.
 *
 * @param epochStart height after which an epoch began
 */
export function horizonOf(
  { archive, keepBlocks, keepEpochs }: PrunePolicy,
  tipHeight: number,
  epoch: number,
  epochStart: (epoch: number) => number | undefined,
  keepBlocksLeast = PRUNE_TUNING.keepBlocksLeast,
): number {
  if (archive || (keepBlocks === 0 && keepEpochs === 0)) return 0;
  const byBlocks = keepBlocks === 0 ? Number.POSITIVE_INFINITY : tipHeight - keepBlocks;
  const first = epoch - keepEpochs;
  const byEpochs = keepEpochs === 0 ? Number.POSITIVE_INFINITY : first > 0 ? (epochStart(first) ?? 0) : 0;
  return Math.max(0, Math.min(byBlocks, byEpochs, tipHeight - keepBlocksLeast));
}
