import type { Signer } from "../crypto/index.ts";
import { type Clock, toHex } from "../kernel/index.ts";
import { type Batch, makeBatch } from "../protocol/index.ts";
import type { BatchLog } from "./batch-log.ts";
import type { MempoolBounds } from "./bounds.ts";
import { chunked, type FlushPlan } from "./flush-plan.ts";
import { ENDED_COUNT_MAX, encodeBatchRecord, encodeEndedRecord, encodeKeptRecord } from "./log-record.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { PendingBatch, PoolEntry } from "./pool-entry.ts";
import type { BatchLocation } from "./types.ts";

/** One record of a flush: its bytes, and what holds once it is durable, or once it is known that it will not be. */
export type FlushStep = {
  readonly encode: () => Uint8Array;
  readonly onDurable: (location: BatchLocation, sizeBytes: number) => void;
  readonly onVoid: () => void;
};

/** What a flush needs besides its plan. */
export type FlushParts = {
  readonly state: MempoolState;
  readonly log: BatchLog;
  readonly bounds: MempoolBounds;
  readonly signer: Signer;
  readonly chainId: Uint8Array;
  readonly clock: Clock;
  /** Called with the transactions of a record that became durable, and with their batch when they are in one. */
  readonly onAccepted: (entries: readonly PoolEntry[], batch?: PendingBatch) => void;
  /** Called with transactions that were admitted and could not be written. */
  readonly onDiskFull: (entries: readonly PoolEntry[]) => void;
};

/** Bytes of old records written again in one flush, at most, so that a flush stays short. */
const MOVED_BYTES_MAX = 256 * 1024;
/** Old records looked at in one flush. */
const MOVED_RECORDS_MAX = 64;

/**
 * The records of a flush in the order they are written: new batches, what waits for others, what others' batches hold and was
 * submitted here too, ends, and old records that move forward.
 */
export function flushSteps(plan: FlushPlan, adopted: readonly PoolEntry[], parts: FlushParts): FlushStep[] {
  const steps = plan.batches.map((entries) => batchStep(entries, parts));
  for (const entries of plan.kept) steps.push(keptStep(entries, parts));
  for (const entries of chunked(adopted)) steps.push(adoptedStep(entries, parts));
  steps.push(...endSteps(parts), ...moveSteps(parts));
  return steps;
}

/** Whether a flush has something to write even when no transaction waits: ends or old records that hold up replay. */
export function isFlushOverdue(state: MempoolState, bounds: MempoolBounds): boolean {
  return state.unsavedEnds.length >= ENDED_COUNT_MAX || isReplayLong(state, bounds);
}

/** The index of a batch's own record serves as its sequence: it grows, it needs no record of its own, and reuse is no fault. */
function batchStep(entries: readonly PoolEntry[], parts: FlushParts): FlushStep {
  const { state, log, signer, chainId } = parts;
  let batch: Batch | undefined;
  return {
    encode: () => {
      batch = makeBatch(
        signer,
        chainId,
        log.nextRecord,
        entries.map(({ encoded }) => encoded),
      );
      return encodeBatchRecord(batch);
    },
    onDurable: (location, recordSizeBytes) => {
      if (batch === undefined) return;
      const sizeBytes = recordSizeBytes - 1;
      const pending = newPendingBatch(batch, sizeBytes, location, entries, parts.clock.monotonicMs());
      state.listBatch(pending, recordSizeBytes);
      state.counters.batches++;
      state.counters.batchedTransactions += entries.length;
      state.counters.batchedSizeBytes += sizeBytes;
      parts.onAccepted(entries, pending);
    },
    onVoid: () => undoTaking(entries, parts),
  };
}

/** A batch that became durable, before it is listed. */
export function newPendingBatch(
  batch: Batch,
  sizeBytes: number,
  location: BatchLocation,
  entries: readonly (PoolEntry | undefined)[],
  sinceMs: number,
): PendingBatch {
  const names = { digestHex: toHex(batch.digest), authorHex: toHex(batch.header.author) };
  const mutable = { entries: [...entries], firstRecord: location.record };
  const start = { liveCount: 0, isStuck: false, isOffered: false, held: undefined };
  return { batch, ...names, sizeBytes, location, ...mutable, sinceMs, ...start };
}

function keptStep(entries: readonly PoolEntry[], parts: FlushParts): FlushStep {
  const { state } = parts;
  return {
    encode: () => encodeKeptRecord(entries.map(({ encoded }) => encoded)),
    onDurable: ({ record }, sizeBytes) => {
      state.keep(entries, record, sizeBytes);
      state.counters.keptSizeBytes += sizeBytes;
      parts.onAccepted(entries);
    },
    onVoid: () => undoTaking(entries, parts),
  };
}

/** Another's batch holds these; the record says that they were accepted here as well, so that their end is remembered. */
function adoptedStep(entries: readonly PoolEntry[], parts: FlushParts): FlushStep {
  return { ...keptStep(entries, parts), onVoid: () => parts.onDiskFull(entries) };
}

/** What was durable before stays what it was; what was not is refused. */
function undoTaking(entries: readonly PoolEntry[], parts: FlushParts): void {
  for (const entry of entries) {
    if (entry.place !== "flushing" || entry.record === undefined) continue;
    entry.place = "kept";
    parts.state.watched.add(entry.account);
  }
  parts.onDiskFull(entries.filter(({ record }) => record === undefined));
}

function endSteps({ state }: FlushParts): FlushStep[] {
  const ends = state.unsavedEnds.slice(0, ENDED_COUNT_MAX);
  if (ends.length === 0) return [];
  return [
    {
      encode: () => encodeEndedRecord(ends),
      onDurable: ({ record }, sizeBytes) => {
        state.unsavedEnds = state.unsavedEnds.slice(ends.length); // new ones were added behind
        state.saveEnds(ends, record, sizeBytes);
      },
      onVoid: () => {},
    },
  ];
}

function isReplayLong(state: MempoolState, bounds: MempoolBounds): boolean {
  return state.pins.replaySizeBytes() > Math.max(bounds.replaySizeBytesMax, 2 * state.pool.sizeBytes);
}

/**
 * When the oldest record in use lies far behind the end of the log, writes what the oldest records still hold again at
 * the end, so that a restart need not read all that lies between. The distance is at least twice what is live, so this
 * writes at most as much again as admission does.
 */
function moveSteps(parts: FlushParts): FlushStep[] {
  const { state, bounds } = parts;
  if (!isReplayLong(state, bounds)) return [];
  const oldest = new Set(state.pins.lowestRecords(MOVED_RECORDS_MAX));
  const steps: FlushStep[] = [];
  let bytes = 0;
  for (const batch of [...state.pending.values(), ...Array.from(state.fading.values(), (fading) => fading.batch)]) {
    if (bytes >= MOVED_BYTES_MAX) break;
    if (!oldest.has(batch.location.record)) continue;
    steps.push(moveBatchStep(batch, state));
    bytes += batch.sizeBytes;
  }
  const moved: PoolEntry[] = [];
  for (const entry of state.pool.entries()) {
    if (bytes >= MOVED_BYTES_MAX) break;
    if (entry.place !== "kept" || entry.record === undefined || !oldest.has(entry.record)) continue;
    if (entry.isForeign) {
      state.onDropped(entry); // after so much more log its author, if anybody, batches it again
      continue;
    }
    moved.push(entry);
    bytes += entry.encoded.length;
  }
  for (const entries of chunked(moved)) steps.push(moveKeptStep(entries, state));
  if (state.endedRecords.some((record) => oldest.has(record))) steps.push(...moveEndedSteps(state));
  return steps;
}

function moveBatchStep(batch: PendingBatch, state: MempoolState): FlushStep {
  return {
    encode: () => encodeBatchRecord(batch.batch),
    onDurable: (location, sizeBytes) => {
      state.moveBatch(batch, location, sizeBytes);
      state.counters.movedSizeBytes += sizeBytes;
    },
    onVoid: () => {},
  };
}

function moveKeptStep(entries: readonly PoolEntry[], state: MempoolState): FlushStep {
  return {
    encode: () => encodeKeptRecord(entries.map(({ encoded }) => encoded)),
    onDurable: ({ record }, sizeBytes) => {
      state.keep(entries, record, sizeBytes);
      state.counters.movedSizeBytes += sizeBytes;
    },
    onVoid: () => {},
  };
}

/** All remembered ends are written again, and only then the records that stated them before are let go. */
function moveEndedSteps(state: MempoolState): FlushStep[] {
  const before = state.endedRecords.slice();
  const ends = Array.from(state.ended.entries(), ([id, status]) => ({ id, status }));
  const chunks: (typeof ends)[] = [];
  for (let at = 0; at < ends.length; at += ENDED_COUNT_MAX) chunks.push(ends.slice(at, at + ENDED_COUNT_MAX));
  return chunks.map((chunk, i) => ({
    encode: () => encodeEndedRecord(chunk),
    onDurable: ({ record }, sizeBytes) => {
      state.saveEnds([], record, sizeBytes);
      state.counters.movedSizeBytes += sizeBytes;
      if (i === chunks.length - 1) state.releaseEndedRecords(before);
    },
    onVoid: () => {},
  }));
}
