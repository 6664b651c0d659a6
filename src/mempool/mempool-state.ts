import { assert } from "../kernel/index.ts";
import { AuthorUsage, type BatchRoom } from "./author-usage.ts";
import type { MempoolBounds } from "./bounds.ts";
import { EndedMemory } from "./ended-memory.ts";
import type { End } from "./log-record.ts";
import type { MempoolCounters } from "./metrics.ts";
import { Pool } from "./pool.ts";
import type { Account, PendingBatch, PoolEntry } from "./pool-entry.ts";
import { RecordPins } from "./record-pins.ts";
import type { BatchLocation, BatchRelease, EndedStatus } from "./types.ts";

/** Blocks that a batch without live transactions is still served for: a block that names it may yet become final. */
const FADING_BLOCKS = 64;

/** What a listed batch weighs beside its bytes, and a kept transaction: many small ones must not take more memory than few large ones. */
const BATCH_OVERHEAD_BYTES = 1_024;
const KEPT_OVERHEAD_BYTES = 256;

/** An end that no durable record states yet; the record that holds the transaction stays pinned until one does. */
export type UnsavedEnd = End & { readonly record: number };

/**
 * What the mempool knows, and the transitions that keep its parts in step. The rules that decide on transitions are in
 * files of their own; nothing here reads a clock or touches the log.
 *
 * Invariant: every durable transaction of the pool, every listed batch and every remembered end has a pinned record that
 * holds it, so what replay from the lowest pin rebuilds is at least this state.
 */
export class MempoolState {
  readonly pool = new Pool();
  readonly pins = new RecordPins();
  readonly ended: EndedMemory;
  /** Ids that ended since those who wait were last told, in hex. */
  untoldEnds: string[] = [];
  /** Durable batches that no committed block names, oldest first, by digest in hexadecimal. */
  readonly pending = new Map<string, PendingBatch>();
  /** Batches without live transactions, with the height they are let go at; by digest. */
  readonly fading = new Map<string, { readonly batch: PendingBatch; readonly untilHeight: number }>();
  /** Accounts whose next transaction cannot execute, or may not be tried again yet. */
  readonly watched = new Set<Account>();
  /** Accounts that have kept transactions whose turn for a batch has come. */
  readonly released = new Set<Account>();
  /** Ends to write with the next sync. */
  unsavedEnds: UnsavedEnd[] = [];
  /** Records that state remembered ends; each is pinned once. */
  endedRecords: number[] = [];
  /** Finalized block that this state reflects. */
  height: number;
  timeMs: number;
  /** Index of the record after the last durable one. */
  nextRecord = 0;
  /** Raised by every change that may make a batch includable or not. */
  version = 0;
  readonly counters: MempoolCounters;
  /** What others' uncommitted batches take. */
  readonly authors: AuthorUsage;
  /** What is kept of others' batches that blocks skipped: apart, so that what clients make an author's batches skip stops none of them. */
  readonly kept: AuthorUsage;
  /** Batches that left the list since those who disseminate were last told, by digest in hexadecimal. */
  untoldReleases: BatchRelease[] = [];

  /**
   * @param author our key in hexadecimal
   * @param roomOf what another author's uncommitted batches may take; of what blocks skip, half as much is kept
   */
  constructor(
    bounds: MempoolBounds,
    counters: MempoolCounters,
    height: number,
    timeMs: number,
    author: string,
    roomOf: (author: string) => BatchRoom,
  ) {
    this.authors = new AuthorUsage(author, roomOf);
    this.kept = new AuthorUsage(author, (other) => {
      const { count, sizeBytes } = roomOf(other);
      return { count: count / 2, sizeBytes: sizeBytes / 2 };
    });
    this.ended = new EndedMemory(bounds.endedCountMax);
    this.counters = counters;
    this.height = height;
    this.timeMs = timeMs;
  }

  /** Lowest record of the log that is still needed after a restart. */
  replayMark(): number {
    return this.pins.lowest() ?? this.nextRecord;
  }

  /** Lists a batch that became durable. Its entries that still flush become `batched`; those that ended meanwhile keep their end. */
  listBatch(batch: PendingBatch, recordSizeBytes: number): void {
    const twin = this.#takeTwin(batch);
    let pins = 1;
    for (const entry of batch.entries) {
      if (entry === undefined) continue;
      if (entry.place === "flushing" || (twin !== undefined && entry.batch === twin)) {
        this.#moveTo(entry, batch.location.record);
        this.unkeep(entry);
        entry.place = "batched";
        entry.batch = batch;
        batch.liveCount++;
        pins++;
      } else if (this.#noteEndDuringSync(entry, batch.location.record)) pins++;
    }
    this.#addRecord(batch.location.record, recordSizeBytes, pins);
    this.pending.set(batch.digestHex, batch);
    this.#countBatch(batch, 1);
    if (batch.liveCount === 0) this.#fade(batch);
    this.version++;
  }

  /**
   * Takes the batch with the same digest off the list, if there is one: a validator restored from an old disk may seal again
   * what it sealed before and the others still hold. What it followed, the new one does.
   */
  #takeTwin(batch: PendingBatch): PendingBatch | undefined {
    const twin = this.pending.get(batch.digestHex) ?? this.fading.get(batch.digestHex)?.batch;
    if (twin === undefined) return undefined;
    assert(twin !== batch && twin.entries.length === batch.entries.length, "equal digests are of equal batches");
    this.pending.delete(batch.digestHex);
    this.fading.delete(batch.digestHex);
    this.#countBatch(twin, -1);
    this.pins.release(twin.location.record);
    batch.firstRecord = twin.firstRecord;
    for (const [i, entry] of twin.entries.entries()) batch.entries[i] ??= entry;
    return twin;
  }

  /** Notes that a record of transactions outside batches became durable. Those already batched only change their record. */
  keep(entries: readonly PoolEntry[], record: number, recordSizeBytes: number): void {
    let pins = 0;
    for (const entry of entries) {
      if (entry.place === "gone") {
        if (this.#noteEndDuringSync(entry, record)) pins++;
        continue;
      }
      this.#moveTo(entry, record);
      if (entry.place === "flushing") entry.place = "kept";
      pins++;
    }
    this.#addRecord(record, recordSizeBytes, pins);
  }

  /** Notes that a batch's record was written again further on. */
  moveBatch(batch: PendingBatch, location: BatchLocation, recordSizeBytes: number): void {
    const isListed = this.pending.get(batch.digestHex) === batch || this.fading.get(batch.digestHex)?.batch === batch;
    const old = batch.location.record;
    batch.location = location;
    let pins = 0;
    for (const entry of batch.entries) {
      if (entry === undefined || entry.batch !== batch || entry.record !== old) continue;
      this.#moveTo(entry, location.record);
      pins++;
    }
    this.#addRecord(location.record, recordSizeBytes, isListed ? pins + 1 : pins);
    if (isListed) this.pins.release(old);
  }

  /** Notes that ends became durable in a record. */
  saveEnds(ends: readonly UnsavedEnd[], record: number, recordSizeBytes: number): void {
    this.#addRecord(record, recordSizeBytes, 1);
    this.endedRecords.push(record);
    for (const end of ends) this.pins.release(end.record);
  }

  /** Lets the records of remembered ends go, after newer ones state them all. */
  releaseEndedRecords(records: readonly number[]): void {
    for (const record of records) this.pins.release(record);
    const released = new Set(records);
    this.endedRecords = this.endedRecords.filter((record) => !released.has(record));
  }

  /** A transaction that executed leaves the pool. */
  onExecuted(entry: PoolEntry): void {
    this.#takeOut(entry);
    if (entry.record !== undefined) this.pins.release(entry.record);
    if (!entry.isForeign) this.counters.executed++;
  }

  /**
   * A transaction that can never execute leaves the pool. How it ended is remembered when it was accepted here; of what only came
   * in others' batches nothing is, so that they cannot fill this memory.
   */
  onEnded(entry: PoolEntry, status: EndedStatus): void {
    assert(entry.place !== "open", "only what may have been accepted ends");
    this.#takeOut(entry);
    if (entry.isForeign) {
      if (entry.record !== undefined) this.pins.release(entry.record);
      return;
    }
    this.ended.add(entry.id, status);
    this.untoldEnds.push(entry.id);
    // What is not durable yet is pinned when its sync is done.
    if (entry.record !== undefined) this.unsavedEnds.push({ id: entry.id, status, record: entry.record });
    this.counters[status]++;
  }

  /**
   * Keeps a transaction that a block skipped: one that only came in another's batch counts in its author's share.
   *
   * @returns whether there was room; else its author alone follows it
   */
  canKeep(entry: PoolEntry): boolean {
    const { author } = entry;
    if (author === undefined || entry.keptFor !== undefined) return true;
    const sizeBytes = entry.encoded.length + KEPT_OVERHEAD_BYTES;
    if (!this.kept.hasRoom(author, 1, sizeBytes)) return false;
    this.kept.add(author, 1, sizeBytes);
    entry.keptFor = author;
    return true;
  }

  /** A transaction that was kept in an author's share waits in a batch again, or is gone. */
  unkeep(entry: PoolEntry): void {
    if (entry.keptFor === undefined) return;
    this.kept.remove(entry.keptFor, 1, entry.encoded.length + KEPT_OVERHEAD_BYTES);
    entry.keptFor = undefined;
  }

  /** A transaction that was never accepted here is followed no longer: its author does. */
  onDropped(entry: PoolEntry): void {
    assert(entry.isForeign, "what was accepted here is followed to its end");
    this.#takeOut(entry);
    if (entry.record !== undefined) this.pins.release(entry.record);
    this.counters.foreignDropped++;
  }

  /** Counts a batch just replayed. */
  countReplayed(batch: PendingBatch): void {
    this.#countBatch(batch, 1);
  }

  /** A transaction that was admitted but never became durable leaves the pool. */
  onRefused(entry: PoolEntry): void {
    assert(entry.record === undefined, "what is durable is never refused");
    this.pool.remove(entry);
    this.#forgetEmpty(entry.account);
  }

  /** A committed block names the batch: it leaves the list, what it did not execute is kept. */
  onBatchCommitted(digestHex: string): readonly PoolEntry[] {
    const batch = this.pending.get(digestHex) ?? this.fading.get(digestHex)?.batch;
    if (batch === undefined) return [];
    this.pending.delete(digestHex);
    this.fading.delete(digestHex);
    this.#countBatch(batch, -1);
    this.untoldReleases.push({ digest: batch.batch.digest, isCommitted: true });
    this.pins.release(batch.location.record);
    this.version++;
    const skipped = batch.entries.filter((entry): entry is PoolEntry => entry?.batch === batch);
    for (const entry of skipped) {
      entry.place = "kept";
      entry.batch = undefined;
    }
    batch.liveCount = 0;
    return skipped;
  }

  /** After a replay: batches in which nothing is live are only served for a while. */
  fadeEmptyBatches(): void {
    for (const batch of [...this.pending.values()]) if (batch.liveCount === 0) this.#fade(batch);
  }

  /** Lets go of batches that faded long enough ago. */
  dropFaded(height: number): void {
    for (const [digestHex, { batch, untilHeight }] of this.fading) {
      if (untilHeight > height) continue;
      this.fading.delete(digestHex);
      this.#countBatch(batch, -1);
      this.untoldReleases.push({ digest: batch.batch.digest, isCommitted: false });
      this.pins.release(batch.location.record);
    }
  }

  /** Remembers an end that a durable record at or after the replay mark states. */
  #noteEndDuringSync(entry: PoolEntry, record: number): boolean {
    const status = entry.place === "gone" && entry.record === undefined ? this.ended.find(entry.id) : undefined;
    if (status === undefined) return false;
    this.unsavedEnds.push({ id: entry.id, status, record });
    return true;
  }

  #countBatch({ authorHex, entries, sizeBytes }: PendingBatch, direction: 1 | -1): void {
    if (direction === 1) this.authors.add(authorHex, entries.length, sizeBytes + BATCH_OVERHEAD_BYTES);
    else this.authors.remove(authorHex, entries.length, sizeBytes + BATCH_OVERHEAD_BYTES);
  }

  #takeOut(entry: PoolEntry): void {
    const { batch } = entry;
    this.unkeep(entry);
    this.pool.remove(entry);
    entry.batch = undefined;
    if (batch !== undefined) {
      batch.liveCount--;
      assert(batch.liveCount >= 0, "a batch has no fewer live transactions than none");
      if (batch.liveCount === 0 && this.pending.has(batch.digestHex)) this.#fade(batch);
      this.version++;
    }
    this.#forgetEmpty(entry.account);
  }

  #fade(batch: PendingBatch): void {
    this.pending.delete(batch.digestHex);
    this.fading.set(batch.digestHex, { batch, untilHeight: this.height + FADING_BLOCKS });
  }

  #forgetEmpty(account: Account): void {
    if (account.entries.length > 0) return;
    this.watched.delete(account);
    this.released.delete(account);
  }

  /** The newest durable record of a transaction is another one now; the caller pins that. */
  #moveTo(entry: PoolEntry, record: number): void {
    if (entry.record !== undefined) this.pins.release(entry.record);
    entry.record = record;
  }

  #addRecord(record: number, sizeBytes: number, pins: number): void {
    this.pins.add(record, sizeBytes, pins);
    this.nextRecord = record + 1;
  }
}
