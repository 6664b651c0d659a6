import { bytesEqual, toHex } from "../kernel/index.ts";
import { type Batch, decodeTransaction, encodeBatch, type Transaction } from "../protocol/index.ts";
import { StorageError } from "../storage/index.ts";
import type { BatchLog } from "./batch-log.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { PendingBatch } from "./pool-entry.ts";
import type { BatchLocation, ChainIndex, HeldBatch } from "./types.ts";

/**
 * Batches in the form that blocks take them: with every transaction decoded. Decoded ones of pending batches are kept up
 * to a bound, because the leader that selects a batch also executes and commits it within moments.
 */
export class HeldBatches {
  readonly #state: MempoolState;
  readonly #log: BatchLog;
  readonly #chain: ChainIndex;
  readonly #aad: Uint8Array;
  readonly #countMax: number;
  /** Pending batches that are kept decoded, oldest first. */
  readonly #kept = new Set<PendingBatch>();
  #count = 0;

  constructor(state: MempoolState, log: BatchLog, chain: ChainIndex, aad: Uint8Array, countMax: number) {
    this.#state = state;
    this.#log = log;
    this.#chain = chain;
    this.#aad = aad;
    this.#countMax = countMax;
  }

  /** Transactions kept decoded. */
  get decodedCount(): number {
    return this.#count;
  }

  /** A pending batch as blocks take it. */
  of(pending: PendingBatch): HeldBatch {
    if (pending.held?.location === pending.location) return pending.held;
    const transactions = pending.held?.transactions ?? this.#decode(pending.batch, pending.location);
    return this.#keep(pending, transactions);
  }

  /** Takes over what admission decoded, when all of it is there and there is room. */
  adopt(pending: PendingBatch): void {
    const transactions: Transaction[] = [];
    for (const entry of pending.entries) {
      if (entry?.decoded !== undefined) transactions.push(entry.decoded);
      if (entry !== undefined) entry.decoded = undefined;
    }
    if (transactions.length === pending.entries.length && this.#count + transactions.length <= this.#countMax)
      this.#keep(pending, transactions);
  }

  /** A durable batch by digest: pending, fading, or from the log when a committed block names it; undefined when not held. */
  find(digest: Uint8Array): HeldBatch | undefined {
    const pending = this.#findListed(digest);
    if (pending !== undefined) return this.of(pending);
    const committed = this.#chain.findBatch(digest);
    return committed === undefined ? undefined : this.read(digest, committed.location);
  }

  /** Whether a batch is durable here: waiting for a block, or named by a committed one. */
  has(digest: Uint8Array): boolean {
    return this.#findListed(digest) !== undefined || this.#chain.findBatch(digest) !== undefined;
  }

  /** A batch as peers get it, pending or committed; undefined when not held. Damage throws. */
  findEncoded(digest: Uint8Array): Uint8Array | undefined {
    const listed = this.#findListed(digest);
    if (listed !== undefined) return encodeBatch(listed.batch);
    const committed = this.#chain.findBatch(digest);
    const record = committed && this.#log.read(committed.location);
    return record?.kind === "batch" && bytesEqual(record.batch.digest, digest) ? encodeBatch(record.batch) : undefined;
  }

  #findListed(digest: Uint8Array): PendingBatch | undefined {
    const digestHex = toHex(digest);
    return this.#state.pending.get(digestHex) ?? this.#state.fading.get(digestHex)?.batch;
  }

  /**
   * Reads a batch from the log and re-checks its digest; undefined when pruned.
   *
   * @throws StorageError `damaged`
   */
  read(digest: Uint8Array, location: BatchLocation): HeldBatch | undefined {
    const record = this.#log.read(location);
    if (record === undefined) return undefined;
    if (record.kind !== "batch" || !bytesEqual(record.batch.digest, digest)) {
      throw new StorageError(
        "damaged",
        `batches/${location.segment.toString().padStart(8, "0")}.seg`,
        `record ${location.record} of the batch log is not batch ${toHex(digest)}`,
      );
    }
    const { header } = record.batch;
    return {
      digest: record.batch.digest,
      header,
      transactions: this.#decode(record.batch, location),
      sizeBytes: record.sizeBytes,
      location,
    };
  }

  /** Forgets the decoded form of batches that are no longer pending. */
  forgetEnded(): void {
    for (const pending of this.#kept) {
      if (this.#state.pending.get(pending.digestHex) === pending) continue;
      this.#drop(pending);
    }
  }

  #keep(pending: PendingBatch, transactions: readonly Transaction[]): HeldBatch {
    const { batch, sizeBytes, location } = pending;
    const held = { digest: batch.digest, header: batch.header, transactions, sizeBytes, location };
    if (pending.held === undefined) {
      if (this.#count + transactions.length > this.#countMax) return held;
      this.#kept.add(pending);
      this.#count += transactions.length;
    }
    pending.held = held;
    return held;
  }

  #drop(pending: PendingBatch): void {
    this.#kept.delete(pending);
    this.#count -= pending.entries.length;
    pending.held = undefined;
  }

  #decode(batch: Batch, location: BatchLocation): readonly Transaction[] {
    return batch.transactions.map((encoded) => {
      const decoded = decodeTransaction(this.#aad, encoded);
      if (decoded.ok) return decoded.value;
      throw new StorageError("damaged", `segment ${location.segment}`, `record ${location.record} of the batch log holds no transaction`);
    });
  }
}
