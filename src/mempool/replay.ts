import { assert, bytesEqual, present, toHex } from "../kernel/index.ts";
import { type Batch, decodeTransaction, type Transaction } from "../protocol/index.ts";
import { StorageError } from "../storage/index.ts";
import { admittedOf, type FinalizedTip } from "./admission.ts";
import type { BatchLog } from "./batch-log.ts";
import { newPendingBatch } from "./flush.ts";
import type { LogRecord } from "./log-record.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { PendingBatch, PoolEntry } from "./pool-entry.ts";
import type { BatchLocation, ChainIndex, EndedStatus } from "./types.ts";

/** What a rebuilt pool is judged by. */
export type ReplayParts = {
  readonly state: MempoolState;
  readonly log: BatchLog;
  readonly chain: ChainIndex;
  readonly tip: FinalizedTip;
  readonly aad: Uint8Array;
  /** Our key in hexadecimal: what is in others' batches only is theirs to batch again. */
  readonly author: string;
  readonly nowMs: number;
};

/** What is rebuilt before the pins are counted. */
type Rebuilt = {
  readonly sizes: { readonly record: number; readonly sizeBytes: number }[];
  /** Transactions that the chain ended while no record said so yet, with the newest record that holds them. */
  readonly foundEnded: Map<string, { readonly status: EndedStatus; readonly record: number }>;
};

/**
 * Rebuilds the mempool from its log, from the mark in the chain's last commit on, and from the finalized state. No cursor
 * of its own is needed: what became of a transaction follows from its sender's next nonce, the finalized height and the
 * chain's index. Signatures are not verified again: only verified transactions are ever appended, and each record is
 * proved by its hash.
 *
 * @returns records read
 * @throws StorageError `damaged`, naming file or segment
 */
export function replayLog(parts: ReplayParts, mark: number): number {
  const { state, log } = parts;
  assert(state.pool.count === 0 && state.nextRecord === 0, "a log is replayed into an empty mempool");
  const rebuilt: Rebuilt = { sizes: [], foundEnded: new Map() };
  log.replay(mark, (record, location) => {
    rebuilt.sizes.push({ record: location.record, sizeBytes: location.length });
    if (record.kind === "batch") replayBatch(parts, rebuilt, record, location);
    else if (record.kind === "kept") replayKept(parts, rebuilt, record.transactions, location);
    else {
      for (const { id, status } of record.ends) state.ended.add(id, status);
      state.endedRecords.push(location.record);
    }
  });
  pinAll(state, rebuilt);
  state.nextRecord = log.nextRecord;
  return rebuilt.sizes.length;
}

function replayBatch(parts: ReplayParts, rebuilt: Rebuilt, record: Extract<LogRecord, { kind: "batch" }>, location: BatchLocation): void {
  const { state, chain } = parts;
  const { batch, sizeBytes } = record;
  const digestHex = toHex(batch.digest);
  const author = toHex(batch.header.author);
  const foreignAuthor = author === parts.author ? undefined : author;
  const committed = chain.findBatch(batch.digest);
  if (committed !== undefined) {
    const skipped = committed.skipped.map((position) => present(batch.transactions[position], "a block skips what its batches hold"));
    if (foreignAuthor === undefined) replayKept(parts, rebuilt, skipped, location);
    else replaySkipped(parts, rebuilt, skipped, location, foreignAuthor);
    return;
  }
  const known = state.pending.get(digestHex);
  if (known !== undefined) {
    known.location = location;
    for (const entry of known.entries) if (entry?.batch === known) entry.record = location.record;
    return;
  }
  const entries = batch.transactions.map((encoded) => replayTransaction(parts, rebuilt, encoded, location, foreignAuthor));
  const pending = newPendingBatch(ownCopy(batch, entries), sizeBytes, location, entries, parts.nowMs);
  for (const entry of entries) if (entry !== undefined) moveIntoBatch(state, entry, pending);
  state.pending.set(digestHex, pending);
  state.countReplayed(pending);
}

/** The batch over the pool's copies of its transactions, so that the record's bytes are not held twice. */
export function ownCopy(batch: Batch, entries: readonly (PoolEntry | undefined)[]): Batch {
  const transactions = batch.transactions.map((encoded, i) => {
    const entry = entries[i];
    return entry !== undefined && bytesEqual(entry.encoded, encoded) ? entry.encoded : encoded.slice();
  });
  const header = { ...batch.header, author: batch.header.author.slice() };
  return { header, digest: batch.digest, signature: batch.signature.slice(), transactions };
}

/** A later batch that holds a transaction is the one it waits in. */
function moveIntoBatch(state: MempoolState, entry: PoolEntry, batch: PendingBatch): void {
  if (entry.batch === batch) return; // named twice in one batch
  state.unkeep(entry);
  if (entry.batch !== undefined) entry.batch.liveCount--;
  entry.batch = batch;
  entry.record = batch.location.record;
  entry.place = "batched";
  batch.liveCount++;
}

function replayKept(parts: ReplayParts, rebuilt: Rebuilt, transactions: readonly Uint8Array[], location: BatchLocation): void {
  for (const encoded of transactions) {
    const entry = replayTransaction(parts, rebuilt, encoded, location, undefined);
    if (entry === undefined) continue;
    parts.state.pool.adopt(entry); // in another's batch before, and accepted here too
    entry.record = location.record;
    if (entry.batch === undefined) entry.place = "kept";
  }
}

/** What a block skipped of another's batch is kept in that author's share, as far as that goes. */
function replaySkipped(
  parts: ReplayParts,
  rebuilt: Rebuilt,
  transactions: readonly Uint8Array[],
  location: BatchLocation,
  author: string,
): void {
  const { state } = parts;
  for (const encoded of transactions) {
    const entry = replayTransaction(parts, rebuilt, encoded, location, author);
    if (entry === undefined || entry.batch !== undefined) continue;
    entry.place = "kept";
    entry.record = location.record;
    if (state.canKeep(entry)) continue;
    entry.record = undefined; // nothing is pinned yet
    state.onDropped(entry);
  }
}

/** The transaction as the pool holds it; undefined when it ended, finally or otherwise. */
function replayTransaction(
  parts: ReplayParts,
  rebuilt: Rebuilt,
  encoded: Uint8Array,
  location: BatchLocation,
  author: string | undefined,
): PoolEntry | undefined {
  const { state, tip, aad } = parts;
  const decoded = decodeTransaction(aad, encoded);
  if (!decoded.ok) {
    throw new StorageError("damaged", `segment ${location.segment}`, `record ${location.record} of the batch log holds no transaction`);
  }
  const transaction = decoded.value;
  const id = toHex(transaction.id);
  const entry = state.pool.find(id);
  if (entry !== undefined) return entry;
  const nextNonce = tip.view.findAccount(transaction.sender)?.nonce ?? 0n;
  const status = endOf(parts, transaction, nextNonce);
  if (status === undefined) {
    const sender = toHex(transaction.sender);
    const admitted = { ...admittedOf({ transaction, id, sender, source: "" }, tip.view), ...(author !== undefined && { author }) };
    return state.pool.add(admitted, { hex: sender, nextNonce });
  }
  if (status !== "final" && author === undefined) rebuilt.foundEnded.set(id, { status, record: location.record });
  return undefined;
}

function endOf({ tip, chain }: ReplayParts, transaction: Transaction, nextNonce: bigint): EndedStatus | "final" | undefined {
  if (transaction.nonce < nextNonce) return chain.findExecuted(transaction.id) === undefined ? "superseded" : "final";
  return transaction.validUntil <= BigInt(tip.rules.tipHeight) ? "expired" : undefined;
}

/** Counts for each record what only it holds, now that the newest record of everything is known. */
function pinAll(state: MempoolState, { sizes, foundEnded }: Rebuilt): void {
  for (const [id, { status, record }] of foundEnded) {
    if (state.ended.find(id) !== undefined) continue;
    state.ended.add(id, status);
    state.unsavedEnds.push({ id, status, record });
  }
  const pins = new Map<number, number>();
  const pin = (record: number | undefined): void => {
    assert(record !== undefined, "everything rebuilt stands in a record");
    pins.set(record, (pins.get(record) ?? 0) + 1);
  };
  for (const entry of state.pool.entries()) pin(entry.record);
  for (const batch of state.pending.values()) pin(batch.location.record);
  for (const { record } of state.unsavedEnds) pin(record);
  for (const record of state.endedRecords) pin(record);
  for (const { record, sizeBytes } of sizes) state.pins.add(record, sizeBytes, pins.get(record) ?? 0);
  state.fadeEmptyBatches();
}
