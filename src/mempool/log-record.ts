import { CborReader, CborWriter, concatBytes, err, ok, parseHex, present, type Result, toHex } from "../kernel/index.ts";
import { type Batch, decodeBatch, encodeBatch, LIMITS } from "../protocol/index.ts";
import type { EndedStatus } from "./types.ts";

/** Ids in one `ended` record. */
export const ENDED_IDS_MAX = 4_096;

/**
 * What the batch log holds. A `batch` is an encoded batch as peers get it. `kept` holds accepted transactions that are in
 * no batch yet (a gap before them), or whose record is too old to keep. `ended` names accepted transactions that will
 * never execute, by id in hexadecimal.
 */
export type LogRecord =
  | { readonly kind: "batch"; readonly batch: Batch; readonly sizeBytes: number }
  | { readonly kind: "kept"; readonly transactions: readonly Uint8Array[] }
  | { readonly kind: "ended"; readonly status: EndedStatus; readonly ids: readonly string[] };

const TAG = { batch: 1, kept: 2, expired: 3, superseded: 4 } as const;

/** A batch record: the byte 1, then the batch's own encoding. */
export function encodeBatchRecord(batch: Batch): Uint8Array {
  return concatBytes(Uint8Array.of(TAG.batch), encodeBatch(batch));
}

/** A record of transactions outside batches: the byte 2, then an array of their COSE bytes. Bounded like a batch. */
export function encodeKeptRecord(transactions: readonly Uint8Array[]): Uint8Array {
  const w = new CborWriter(512).array(transactions.length);
  for (const encoded of transactions) w.bytes(encoded);
  return concatBytes(Uint8Array.of(TAG.kept), w.finish());
}

/** A record of ids (hexadecimal) that ended one way: the byte 3 or 4, then the 32-byte ids side by side. */
export function encodeEndedRecord(status: EndedStatus, ids: readonly string[]): Uint8Array {
  const out = new Uint8Array(1 + 32 * ids.length);
  out[0] = TAG[status];
  for (const [i, id] of ids.entries()) out.set(present(parseHex(id), "an id is spelled in hexadecimal"), 1 + 32 * i);
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
    case TAG.expired:
      return readEnded("expired", content);
    case TAG.superseded:
      return readEnded("superseded", content);
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

function readEnded(status: EndedStatus, content: Uint8Array): Result<LogRecord, "malformed"> {
  const count = content.length / 32;
  if (!Number.isInteger(count) || count === 0 || count > ENDED_IDS_MAX) return err("malformed");
  return ok({ kind: "ended", status, ids: Array.from({ length: count }, (_, i) => toHex(content.subarray(32 * i, 32 * i + 32))) });
}
