/** When a checkpoint is written: as soon as one of the three is reached. */
export type CheckpointPolicy = {
  /**
   * Entries changed by blocks since the last one, counted block by block: at least this many, and at least half of the
   * entries there are. It bounds what a start has to execute again, and, since a checkpoint writes the whole state,
   * about 50 bytes an entry, it bounds the bytes written to about 100 for each changed entry.
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
  if (changedEntries >= Math.max(policy.changedEntriesMin, Math.ceil(entryCount / 2)) || blocks >= policy.blocksMax) return true;
  return changedEntries > 0 && elapsedMs >= policy.intervalMs;
}
