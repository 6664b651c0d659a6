import type { BatchHeader, Transaction } from "../protocol/index.ts";

/** Where a batch's record stands in the append-only batch log: record index, segment number, byte offset, body length. Store all four. */
export type BatchLocation = { readonly record: number; readonly segment: number; readonly offset: number; readonly length: number };

/** A batch held here: durable, its author's and every transaction's signature verified. */
export type HeldBatch = {
  readonly digest: Uint8Array;
  readonly header: BatchHeader;
  readonly transactions: readonly Transaction[];
  /** Bytes of its encoding. */
  readonly sizeBytes: number;
  readonly location: BatchLocation;
};

/** What one committed block did with each transaction of its batches, in execution order. */
export type BlockOutcome = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly timeMs: number;
  readonly batchDigests: readonly Uint8Array[];
  /** Executed transactions; the position is the receipt index. */
  readonly executed: readonly Transaction[];
  /** Transactions that left no trace: wrong nonce, expired, fee not payable, over quota, or a repeat. */
  readonly skipped: readonly Transaction[];
};

/**
 * Batches as blocks see them; the mempool is behind it. What `select` and `find` return is fsynced, so a vote for a
 * block that names it may leave.
 */
export interface BatchSource {
  /**
   * Oldest-first batches that fit the limits and could execute on the finalized state, leaving out those that
   * `isExcluded` names (already in an unfinalized ancestor). Keys are lower-case hex digests.
   */
  select(
    limits: { readonly bytes: number; readonly transactions: number },
    isExcluded: (digestHex: string) => boolean,
  ): readonly HeldBatch[];
  /** Whether `select` with generous limits would return something: R1's "work". */
  hasIncludable(): boolean;
  /** A durable batch by digest, pending or (from the log) committed; undefined when not held. */
  find(digest: Uint8Array): HeldBatch | undefined;
  /** Reads a committed batch from the log and re-checks its digest; undefined when pruned. Damage throws. */
  read(digest: Uint8Array, location: BatchLocation): HeldBatch | undefined;
  /** Lowest log record that is still needed after a restart; stored in each block commit, where replay starts. */
  replayMark(): number;
  /** Called after each durable block commit, in height order; and at start for every block above the mempool's own cursor. */
  onCommitted(outcome: BlockOutcome): void;
}
