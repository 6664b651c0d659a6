import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { assert, present } from "../../src/kernel/index.ts";
import { encodeGpt } from "../layout/gpt.ts";
import type { DiskLayout, PartitionLabel } from "../layout/partitions.ts";

/** Granularity in which emptiness is looked for. */
const PIECE_BYTES = 64 * 1024;

/** Compared with by the runtime's native code, many times faster than looking at each byte. */
const ZEROS = new Uint8Array(PIECE_BYTES);

/** Whether bytes are all zero. */
export function isEmpty(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const piece = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(piece, piece.length === ZEROS.length ? ZEROS : ZEROS.subarray(0, piece.length)) !== 0) return false;
  }
  return true;
}

/**
 * Writes a disk image: the table at both ends, and each content at its partition's place. What nobody gives content for, and
 * what is empty, stays a hole that takes no room.
 */
export function writeRawImage(path: string, layout: DiskLayout, contents: ReadonlyMap<PartitionLabel, Uint8Array>): void {
  const file = openSync(path, "w");
  try {
    ftruncateSync(file, layout.diskBytes);
    const { primary, backup } = encodeGpt(layout);
    writeSync(file, primary, 0, primary.length, 0);
    writeSync(file, backup, 0, backup.length, layout.diskBytes - backup.length);
    for (const [label, content] of contents) {
      const partition = present(
        layout.partitions.find((each) => each.label === label),
        "contents are for partitions of the layout",
      );
      assert(content.length <= partition.sizeBytes, "a content fits into its partition");
      for (let at = 0; at < content.length; at += PIECE_BYTES) {
        const piece = content.subarray(at, at + PIECE_BYTES);
        if (!isEmpty(piece)) writeSync(file, piece, 0, piece.length, partition.offsetBytes + at);
      }
    }
  } finally {
    closeSync(file);
  }
}

/** Reads part of a disk or an image of one; less than asked for only where it ends. */
export function readPart(file: number, offset: number, bytes: number): Uint8Array {
  const part = new Uint8Array(bytes);
  let done = 0;
  while (done < bytes) {
    const got = readSync(file, part, done, bytes - done, offset + done);
    if (got === 0) break;
    done += got;
  }
  return part.subarray(0, done);
}

/** SHA-256 of part of a disk, in hexadecimal, read in pieces of a few megabytes. */
export function hashPart(file: number, offset: number, bytes: number): string {
  const hash = new Bun.SHA256();
  const stepBytes = 4 * 1024 * 1024;
  for (let at = 0; at < bytes; at += stepBytes) hash.update(readPart(file, offset + at, Math.min(stepBytes, bytes - at)));
  return hash.digest("hex");
}
