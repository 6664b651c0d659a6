/** Every bound of the mempool. Counts are transactions, sizes bytes of COSE, times milliseconds. */
export type MempoolBounds = {
  /** Accepted and not ended, all accounts together. Beyond: `mempoolFull`. */
  readonly poolCountMax: number;
  readonly poolSizeBytesMax: number;
  /** Of one sender. Beyond: `quotaExceeded`. */
  readonly accountCountMax: number;
  readonly accountSizeBytesMax: number;
  /** Accepted from one source (a peer, a device, a client) and not ended. Beyond: `quotaExceeded`. */
  readonly sourceCountMax: number;
  readonly sourceSizeBytesMax: number;
  /** Submitted and not judged yet, all sources together. Beyond: `mempoolFull`. */
  readonly intakeCountMax: number;
  readonly intakeSizeBytesMax: number;
  /** Submitted by one source and not judged yet. Beyond: `quotaExceeded`. */
  readonly sourceIntakeCountMax: number;
  readonly sourceIntakeSizeBytesMax: number;
  /** Transactions of one account with one nonce; see `checkRival`. */
  readonly rivalsMax: number;
  /**
   * In uncommitted batches of all other validators together; each of them has an equal share. Beyond it theirs wait. Half as much
   * again is kept of what blocks skipped of them.
   */
  readonly foreignCountMax: number;
  readonly foreignSizeBytesMax: number;
  /** Bytes of others' batches that are checked or wait for their sync, unless blocks wait for them. */
  readonly arrivingSizeBytesMax: number;
  /** Digests of faulty batches remembered, so that none is fetched twice; the oldest is forgotten first. */
  readonly faultyCountMax: number;
  /** How long a leader leaves out a batch that is not known to be held by a quorum (R2). */
  readonly offerAfterMs: number;
  /** Digests of COSE bytes known to be well signed; the older half is forgotten when full. */
  readonly verifiedCountMax: number;
  /** Ids remembered as expired or superseded; the oldest is forgotten first. */
  readonly endedCountMax: number;
  /** Transactions kept decoded for block building; beyond, they are decoded again when asked for. */
  readonly decodedCountMax: number;
  /** Batches sealed into one sync. */
  readonly flushBatchesMax: number;
  /** How long a transaction may wait for company in its batch. */
  readonly lingerMinMs: number;
  readonly lingerMaxMs: number;
  /** Waiting bytes that are worth a sync of their own, so lingering ends. */
  readonly lingerSizeBytes: number;
  /** Free disk space below which nothing is admitted; others' batches and blocks are still taken in. */
  readonly freeSpaceBytesMin: number;
  /** Free disk space below which nothing of others is taken in either, so the node votes for no block that it lacks a batch of. */
  readonly freeSpaceBytesReserve: number;
  /** Log between its oldest record in use and its end; beyond (or beyond twice the pool's bytes) old records move forward. */
  readonly replaySizeBytesMax: number;
};

const MEBIBYTE = 1024 * 1024;

/** What a node uses unless its configuration says otherwise: fits a box with 1 GB of memory. */
export const DEFAULT_MEMPOOL_BOUNDS: MempoolBounds = {
  poolCountMax: 100_000,
  poolSizeBytesMax: 64 * MEBIBYTE,
  accountCountMax: 2_048,
  accountSizeBytesMax: 8 * MEBIBYTE,
  sourceCountMax: 25_000,
  sourceSizeBytesMax: 16 * MEBIBYTE,
  intakeCountMax: 16_384,
  intakeSizeBytesMax: 16 * MEBIBYTE,
  sourceIntakeCountMax: 8_192,
  sourceIntakeSizeBytesMax: 4 * MEBIBYTE,
  rivalsMax: 4,
  foreignCountMax: 100_000,
  foreignSizeBytesMax: 64 * MEBIBYTE,
  arrivingSizeBytesMax: 8 * MEBIBYTE,
  faultyCountMax: 4_096,
  offerAfterMs: 1_000,
  verifiedCountMax: 65_536,
  endedCountMax: 100_000,
  decodedCountMax: 16_384,
  flushBatchesMax: 4,
  lingerMinMs: 5,
  lingerMaxMs: 20,
  lingerSizeBytes: 16 * 1024,
  freeSpaceBytesMin: 64 * MEBIBYTE,
  freeSpaceBytesReserve: 16 * MEBIBYTE,
  replaySizeBytesMax: 16 * MEBIBYTE,
};
