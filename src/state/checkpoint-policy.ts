/** When a checkpoint is written: as soon as one of the three is reached. */
export type CheckpointPolicy = {
  /**
   * Entries changed by blocks since the last one, counted block by block: at least this many, and at least a quarter of
   * the entries there are. It bounds what a start has to execute again and, since a checkpoint writes the whole state,
   * some 55 bytes an entry, the bytes written for each change: 220 in a large state, fewer in a small one.
   */
  readonly changedEntriesMin: number;
  /** Blocks since the last one. */
  readonly blocksMax: number;
  /** Milliseconds since the last one, when anything changed. */
  readonly intervalMs: number;
};

/** What has happened since the last checkpoint, and how much there is to write. */
export type CheckpointProgress = {
  readonly changedEntries: number;
  readonly blocks: number;
  readonly elapsedMs: number;
  readonly entryCount: number;
};

/** Whether a checkpoint is due. */
export function isCheckpointDue(progress: CheckpointProgress, policy: CheckpointPolicy): boolean {
  const { changedEntries, blocks, elapsedMs, entryCount } = progress;
  if (blocks === 0) return false;
  if (changedEntries >= Math.max(policy.changedEntriesMin, Math.ceil(entryCount / 4)) || blocks >= policy.blocksMax) return true;
  return changedEntries > 0 && elapsedMs >= policy.intervalMs;
}

/**
 * For a box with flash storage. 100,000 changes are 50,000 transfers: over 100,000 accounts 110 bytes written for each,
 * 0.7 of its own bytes, and half a second to execute them again at a start. Time alone hardly matters, for re-execution
 * is bounded without it: once a day keeps the file from being very old.
 */
export const CHECKPOINT_POLICY_DEFAULT: CheckpointPolicy = { changedEntriesMin: 100_000, blocksMax: 20_000, intervalMs: 86_400_000 };
