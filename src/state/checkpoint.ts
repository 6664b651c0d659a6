import { assert, type Result } from "../kernel/index.ts";
import { copyBytes } from "./copy-bytes.ts";
import type { PackedBucket } from "./packed-bucket.ts";

/** The state that a checkpoint holds: of this chain, after the block at this height. */
export type CheckpointMark = { readonly chainId: Uint8Array; readonly height: number; readonly stateRoot: Uint8Array };

/** A checkpoint to write: the whole state at one moment, bucket by bucket; undefined for an empty bucket. */
export type CheckpointJob = { readonly mark: CheckpointMark; readonly buckets: readonly (PackedBucket | undefined)[] };

/**
 * Why a checkpoint was not written: `diskFull` there is no room, `unavailable` the disk failed or the folder cannot be
 * written. The checkpoint before is still there.
 */
export type CheckpointFailure = { readonly code: "diskFull" | "unavailable"; readonly detail: string };

/** Makes checkpoints durable, one at a time, each replacing the one before. A rejected promise is a defect. */
export interface CheckpointWriter {
  /** Resolves with the bytes written when the checkpoint is durable, or with why it is not. */
  write(job: CheckpointJob): Promise<Result<number, CheckpointFailure>>;
}

/** Size that a part of a checkpoint is filled up to: what one message to a worker and one write to the file carry. */
const PART_BYTES = 1024 * 1024;
const RECORD_HEAD_BYTES = 8;

/**
 * Copies buckets that have entries, from a number on, into one part of at least one bucket and about PART_BYTES: for
 * each u32 number | u32 size | content, big-endian. Undefined when no bucket is left.
 */
export function encodePart(
  buckets: readonly (PackedBucket | undefined)[],
  from: number,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly next: number } | undefined {
  let size = 0;
  let next = from;
  for (; next < buckets.length && size < PART_BYTES; next++) {
    const entries = buckets[next];
    if (entries !== undefined) size += RECORD_HEAD_BYTES + entries.length;
  }
  if (size === 0) return undefined;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let bucket = from; bucket < next; bucket++) {
    const entries = buckets[bucket];
    if (entries === undefined) continue;
    view.setUint32(at, bucket);
    view.setUint32(at + 4, entries.length);
    copyBytes(entries, 0, entries.length, bytes, at + RECORD_HEAD_BYTES);
    at += RECORD_HEAD_BYTES + entries.length;
  }
  assert(at === size, "a part is filled exactly");
  return { bytes, next };
}

/** Gives the buckets of a part, as copies; false when the bytes are no part. Their content is not looked at. */
export function decodePart(bytes: Uint8Array, take: (bucket: number, entries: Uint8Array) => void): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at + RECORD_HEAD_BYTES <= bytes.length) {
    const start = at + RECORD_HEAD_BYTES;
    const end = start + view.getUint32(at + 4);
    if (end > bytes.length) return false;
    take(view.getUint32(at), bytes.slice(start, end));
    at = end;
  }
  return at === bytes.length;
}
