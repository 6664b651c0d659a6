import { LIMITS } from "../protocol/index.ts";
import type { Account, PoolEntry } from "./pool-entry.ts";

/** When a kept transaction may go into a batch again. */
export type RetryClock = { readonly height: number; readonly nowMs: number };

/** What one sync will make durable, in the order it is written. */
export type FlushPlan = {
  /** Transactions of each batch, in execution order. */
  readonly batches: readonly (readonly PoolEntry[])[];
  /** Transactions that wait for others of their sender, by record. */
  readonly kept: readonly (readonly PoolEntry[])[];
  /** Open ones that did not fit any more; first in the next plan. */
  readonly rest: readonly PoolEntry[];
  /** Accounts of which more could have been taken. */
  readonly cut: readonly Account[];
};

/** Bytes of an encoded batch besides its transactions, and of a transaction besides its COSE, at most. */
const BATCH_OVERHEAD_BYTES = 128;
const ITEM_OVERHEAD_BYTES = 3;

/**
 * Puts open transactions, and kept ones whose turn has come, into batches: each account's in nonce order, without gaps
 * from the account's next nonce over what pending batches hold already. What has a gap before it is kept.
 *
 * Every transaction taken becomes `flushing`.
 *
 * @param open in order of admission; none of them stale
 * @param released accounts whose kept transactions may go on
 * @param batchesMax batches at most
 */
export function planFlush(open: readonly PoolEntry[], released: Iterable<Account>, batchesMax: number, clock: RetryClock): FlushPlan {
  const batches = new Chunks(batchesMax);
  const visited = new Set<Account>();
  const cut: Account[] = [];
  const visit = (account: Account): void => {
    if (visited.has(account)) return;
    visited.add(account);
    if (!takeRun(account, batches, clock)) cut.push(account);
  };
  for (const account of released) visit(account);
  for (const { account } of open) visit(account);
  const left = open.filter(({ place }) => place === "open");
  if (batches.isFull) return { batches: batches.chunks, kept: [], rest: left, cut };
  const kept = new Chunks(Number.POSITIVE_INFINITY);
  for (const entry of left) kept.offer(entry);
  return { batches: batches.chunks, kept: kept.chunks, rest: [], cut };
}

/** Splits transactions that are written again outside batches into records. */
export function chunked(entries: Iterable<PoolEntry>): readonly (readonly PoolEntry[])[] {
  const chunks = new Chunks(Number.POSITIVE_INFINITY);
  for (const entry of entries) chunks.add(entry);
  return chunks.chunks;
}

/**
 * Takes an account's transactions from its next nonce on, up to the first nonce that no batch holds and none can be taken
 * for; false when the batches were full before that.
 */
function takeRun(account: Account, batches: Chunks, clock: RetryClock): boolean {
  let expected = account.nextNonce;
  let isCovered = true;
  for (const entry of account.entries) {
    if (entry.nonce < account.nextNonce) continue; // used already; its end is about to be noticed
    if (entry.nonce > expected || (entry.nonce === expected && !isCovered)) return true;
    if (entry.nonce === expected) {
      expected++;
      isCovered = false;
    }
    // Here the entry has nonce expected - 1: the first of that nonce, or another of the same.
    if (entry.place === "batched" || entry.place === "flushing") isCovered = true;
    else if (entry.place === "open" || isDue(entry, clock)) {
      if (!batches.offer(entry)) return false;
      isCovered = true;
    }
  }
  return true;
}

/** Whether a kept transaction may go into a batch: not while it is a front that cannot execute, nor too soon after a skip. */
export function isDue(entry: PoolEntry, clock: RetryClock): boolean {
  if (entry.isStalled) return false;
  return entry.skips === 0 || clock.height >= entry.retryHeight || clock.nowMs >= entry.retryAtMs;
}

/** Fills chunks of the size of a batch, in order. */
class Chunks {
  readonly chunks: PoolEntry[][] = [];
  isFull = false;
  readonly #countMax: number;
  #sizeBytes = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Adds a transaction and marks it as flushing; false when the last chunk is full. */
  offer(entry: PoolEntry): boolean {
    if (this.isFull || !this.add(entry)) return false;
    entry.place = "flushing";
    return true;
  }

  add(entry: PoolEntry): boolean {
    const size = entry.encoded.length + ITEM_OVERHEAD_BYTES;
    const last = this.chunks.at(-1);
    const fits = last !== undefined && last.length < LIMITS.batchTransactionsMax && this.#sizeBytes + size <= LIMITS.batchBytesMax;
    if (fits) last.push(entry);
    else if (this.chunks.length < this.#countMax) {
      this.chunks.push([entry]);
      this.#sizeBytes = BATCH_OVERHEAD_BYTES;
    } else {
      this.isFull = true;
      return false;
    }
    this.#sizeBytes += size;
    return true;
  }
}
