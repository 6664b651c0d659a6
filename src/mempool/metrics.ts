import type { RejectionCode } from "../protocol/index.ts";
import type { BatchFault } from "./types.ts";

/** What the mempool has done since it started: running totals, for monitoring to read. Times in milliseconds. */
export type MempoolCounters = {
  submitted: number;
  accepted: number;
  /** Accepted again because they were pending. */
  repeated: number;
  rejected: Partial<Record<RejectionCode, number>>;
  /** Signatures verified, and signatures known from before. */
  verified: number;
  verifiedFromCache: number;
  executed: number;
  expired: number;
  superseded: number;
  /** Times a committed block left a transaction of its batches unexecuted. */
  skipped: number;
  batches: number;
  batchedTransactions: number;
  batchedSizeBytes: number;
  /** Batches of other validators that became durable here, and their transactions and bytes. */
  foreignBatches: number;
  foreignTransactions: number;
  foreignSizeBytes: number;
  /** Of the transactions in them, those followed here already. */
  foreignRepeated: number;
  /** Others' transactions that a block skipped and that are not followed any more. */
  foreignDropped: number;
  /** Batches of peers that were not taken, by reason. */
  refusedBatches: Partial<Record<BatchFault, number>>;
  /** Bytes written for transactions with gaps before them. */
  keptSizeBytes: number;
  /** Bytes written again so that the log's replay stays short. */
  movedSizeBytes: number;
  syncs: number;
  syncMs: number;
  diskFull: number;
};

/** Counters at zero. */
export function newMempoolCounters(): MempoolCounters {
  return {
    submitted: 0,
    accepted: 0,
    repeated: 0,
    rejected: {},
    verified: 0,
    verifiedFromCache: 0,
    executed: 0,
    expired: 0,
    superseded: 0,
    skipped: 0,
    batches: 0,
    batchedTransactions: 0,
    batchedSizeBytes: 0,
    foreignBatches: 0,
    foreignTransactions: 0,
    foreignSizeBytes: 0,
    foreignRepeated: 0,
    foreignDropped: 0,
    refusedBatches: {},
    keptSizeBytes: 0,
    movedSizeBytes: 0,
    syncs: 0,
    syncMs: 0,
    diskFull: 0,
  };
}

/** What the mempool holds at the moment. */
type MempoolGauges = {
  readonly pendingCount: number;
  readonly pendingSizeBytes: number;
  /** Of the pending transactions, those that only came in other validators' batches. */
  readonly foreignCount: number;
  readonly accountCount: number;
  readonly pendingBatchCount: number;
  /** Of the pending batches, those in which nothing can execute at present. */
  readonly stuckBatchCount: number;
  /** Accounts whose next transaction cannot execute, or waits for another try. */
  readonly watchedAccountCount: number;
  /** Admitted, waiting for a sync. */
  readonly openCount: number;
  readonly decodedCount: number;
  readonly intakeCount: number;
  readonly intakeSizeBytes: number;
  readonly endedCount: number;
  /** Bytes of log that a restart reads. */
  readonly replaySizeBytes: number;
  readonly logSizeBytes: number;
  /** Average that follows the time of a sync. */
  readonly syncMs: number;
  /** Why nothing new is admitted, e.g. "disk full"; undefined while it is. */
  readonly closedBecause: string | undefined;
};

/** Counters and gauges together. */
export type MempoolStats = { readonly counters: Readonly<MempoolCounters>; readonly gauges: MempoolGauges };
