import { CborReader, CborWriter, concatBytes, err, ok, parseHex, present, type Result, toHex } from "../kernel/index.ts";
import { type Batch, decodeBatch, encodeBatch, LIMITS } from "../protocol/index.ts";
import type { EndedStatus } from "./types.ts";

/** Ends in one `ended` record. */
export const ENDED_COUNT_MAX = 4_096;

/** That an accepted transaction, by id in hexadecimal, will never execute, and why. */
export type End = { readonly id: string; readonly status: EndedStatus };

/**
 * What the batch log holds. A `batch` is an encoded batch as peers get it. `kept` holds accepted transactions that are in
 * no batch yet (a gap before them), or whose record is too old to keep. `ended` tells how accepted transactions ended
 * without executing, oldest first.
 */
export type LogRecord =
  | { readonly kind: "batch"; readonly batch: Batch; readonly sizeBytes: number }
  | { readonly kind: "kept"; readonly transactions: readonly Uint8Array[] }
  | { readonly kind: "ended"; readonly ends: readonly End[] };

const TAG = { batch: 1, kept: 2, ended: 3 } as const;
const BYTE_OF_STATUS = { expired: 1, superseded: 2 } as const satisfies Record<EndedStatus, number>;
const END_BYTES = 33;

/** A batch record: the byte 1, then the batch's own encoding. */
export function encodeBatchRecord(batch: Batch): Uint8Array {
  return batchRecordOf(encodeBatch(batch));
}

/** A batch record of a batch's encoding. */
export function batchRecordOf(encoded: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(TAG.batch), encoded);
}

/** A record of transactions outside batches: the byte 2, then an array of their COSE bytes. Bounded like a batch. */
export function encodeKeptRecord(transactions: readonly Uint8Array[]): Uint8Array {
  const w = new CborWriter(512).array(transactions.length);
  for (const encoded of transactions) w.bytes(encoded);
  return concatBytes(Uint8Array.of(TAG.kept), w.finish());
}

/** A record of ends: the byte 3, then for each a byte (1 expired, 2 superseded) and the 32-byte id. */
export function encodeEndedRecord(ends: readonly End[]): Uint8Array {
  const out = new Uint8Array(1 + END_BYTES * ends.length);
  out[0] = TAG.ended;
  for (const [i, { id, status }] of ends.entries()) {
    out[1 + END_BYTES * i] = BYTE_OF_STATUS[status];
    out.set(present(parseHex(id), "an id is spelled in hexadecimal"), 2 + END_BYTES * i);
  }
  return out;
}

/** Reads what the encoders above write; views into `bytes` are kept. Transactions are not decoded. */
export function decodeLogRecord(bytes: Uint8Array): Result<LogRecord, "malformed"> {
  const content = bytes.subarray(1);
  switch (bytes[0]) {
    case TAG.batch: {
      const batch = decodeBatch(content);
      return batch.ok ? ok({ kind: "batch", batch: batch.value, sizeBytes: content.length }) : err("malformed");
    }
    case TAG.kept:
      return readKept(content);
    case TAG.ended:
      return readEnded(content);
    default:
      return err("malformed");
  }
}

function readKept(content: Uint8Array): Result<LogRecord, "malformed"> {
  const r = new CborReader(content);
  const count = r.array(LIMITS.batchTransactionsMax);
  const transactions: Uint8Array[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) transactions.push(r.bytes(1, LIMITS.transactionBytesMax));
  return r.isComplete && count > 0 ? ok({ kind: "kept", transactions }) : err("malformed");
}

function readEnded(content: Uint8Array): Result<LogRecord, "malformed"> {
  const count = content.length / END_BYTES;
  if (!Number.isInteger(count) || count === 0 || count > ENDED_COUNT_MAX) return err("malformed");
  const ends: End[] = [];
  for (let at = 0; at < content.length; at += END_BYTES) {
    const status =
      content[at] === BYTE_OF_STATUS.expired ? "expired" : content[at] === BYTE_OF_STATUS.superseded ? "superseded" : undefined;
    if (status === undefined) return err("malformed");
    ends.push({ id: toHex(content.subarray(at + 1, at + END_BYTES)), status });
  }
  return ok({ kind: "ended", ends });
}
