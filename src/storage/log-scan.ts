import { bytesEqual, concatBytes } from "../kernel/index.ts";
import { crc32, differencesOf, findByteErrors } from "./byte-error.ts";
import { SECTOR_BYTES } from "./file-system.ts";
import type { TornTail } from "./log-damage.ts";
import {
  FRAME_HEAD_BYTES,
  FRAME_OVERHEAD_BYTES,
  type FrameHead,
  frameBytes,
  frameHash,
  HASH_BYTES,
  isFrameKind,
  readFrameHead,
  SEGMENT_HEADER_BYTES,
} from "./log-format.ts";

/** A frame that proved right. */
export interface ScannedFrame extends FrameHead {
  readonly offset: number;
  readonly body: Uint8Array;
}

/** The bytes of one segment and what is needed to judge frames in it. */
export interface SegmentBytes {
  readonly bytes: Uint8Array;
  readonly logId: Uint8Array;
  readonly segment: number;
}

/** How a walk through a segment ended. */
export interface WalkEnd {
  /** Offset after the last right frame. */
  readonly offset: number;
  /** Kind of the last right frame; undefined when there is none. */
  readonly lastKind: FrameHead["kind"] | undefined;
  /** Offset up to which some frame says that all was durable when it was made. */
  readonly durable: number;
}

/** The frame at an offset; undefined unless head, chain and hash are right. `previous` replaces the 32 bytes before it. */
function frameAt(source: SegmentBytes, offset: number, previous?: Uint8Array): ScannedFrame | undefined {
  const { bytes, logId, segment } = source;
  const head = readFrameHead(bytes.subarray(offset), { logId, segment, offset });
  if (head === undefined) return undefined;
  const bodyEnd = offset + FRAME_HEAD_BYTES + head.length;
  if (bodyEnd + HASH_BYTES > bytes.length) return undefined;
  const hash =
    previous === undefined
      ? frameHash(bytes.subarray(offset - HASH_BYTES, bodyEnd))
      : frameHash(concatBytes(previous, bytes.subarray(offset, bodyEnd)));
  if (!bytesEqual(hash, bytes.subarray(bodyEnd, bodyEnd + HASH_BYTES))) return undefined;
  return { ...head, offset, body: bytes.subarray(offset + FRAME_HEAD_BYTES, bodyEnd) };
}

/** Visits the right frames of a segment in order, up to the first that is not. The header has been checked. */
export function walkFrames(source: SegmentBytes, visit: (frame: ScannedFrame) => void): WalkEnd {
  let offset = SEGMENT_HEADER_BYTES;
  let lastKind: FrameHead["kind"] | undefined;
  let durable = SEGMENT_HEADER_BYTES;
  for (;;) {
    const frame = frameAt(source, offset);
    if (frame === undefined) return { offset, lastKind, durable };
    visit(frame);
    durable = Math.max(durable, frame.durable);
    lastKind = frame.kind;
    offset += frameBytes(frame.length);
  }
}

/** Verdict on the bytes after the last right frame of the last segment. */
export type TailVerdict =
  | { readonly kind: "clean" }
  | { readonly kind: "unused"; readonly sizeBytes: number }
  | { readonly kind: "torn"; readonly tail: Omit<TornTail, "file"> }
  | { readonly kind: "damaged"; readonly detail: string };

/**
 * Tells a torn tail from damage. Bytes after the walk's end are damage when any of this holds:
 *
 * - a right frame further on was written when that point was durable already (the mark after each sync is one);
 * - changing one byte makes the frame right: a torn write loses sectors, it does not change single bytes.
 *
 * Else nothing proves that any of it was ever durable, and it is a torn write. Nothing but zeros is space laid out ahead.
 */
export function judgeTail(source: SegmentBytes, offset: number): TailVerdict {
  const { bytes } = source;
  if (offset === bytes.length) return { kind: "clean" };
  if (isZero(bytes.subarray(offset))) return { kind: "unused", sizeBytes: bytes.length - offset };
  let wholeRecordCount = 0;
  for (const frame of findFramesAfter(source, offset)) {
    if (frame.durable > offset)
      return { kind: "damaged", detail: `a later record at offset ${frame.offset} was written after this point was durable` };
    if (frame.kind === "record") wholeRecordCount++;
  }
  const byteOff = findOneByteOff(source, offset);
  if (byteOff !== undefined) return { kind: "damaged", detail: `the byte at offset ${byteOff} is not the one that was written` };
  return { kind: "torn", tail: { offset, sizeBytes: bytes.length - offset, wholeRecordCount, shape: shapeOf(source, offset) } };
}

/** Right frames after a wrong one, found by trying every offset; the 32 bytes before each are trusted. */
function* findFramesAfter(source: SegmentBytes, wrongOffset: number): Generator<ScannedFrame> {
  const { bytes, logId, segment } = source;
  const wrongHead = readFrameHead(bytes.subarray(wrongOffset), { logId, segment, offset: wrongOffset });
  let offset = wrongOffset + 1;
  while (offset + FRAME_OVERHEAD_BYTES <= bytes.length) {
    let frame = isFrameKind(bytes[offset]) ? frameAt(source, offset) : undefined;
    if (frame === undefined && wrongHead !== undefined && offset === wrongOffset + frameBytes(wrongHead.length)) {
      // The stored hash before it may be what is wrong: try the hash that the record before it ought to have.
      frame = frameAt(source, offset, frameHash(bytes.subarray(wrongOffset - HASH_BYTES, offset - HASH_BYTES)));
    }
    if (frame === undefined) {
      offset++;
    } else {
      yield frame;
      offset += frameBytes(frame.length);
    }
  }
}

/** Bytes of a frame in one sector below which a single wrong one proves nothing: a garbled sector would look the same. */
const PROVING_BYTES_MIN = 4;

/**
 * The place of the one byte whose change makes the frame right, if there is one. Not where the frame has too few bytes in
 * that sector, and not in a sector that holds nothing but zeros from the frame on: it may never have been written.
 */
function findOneByteOff(source: SegmentBytes, offset: number): number | undefined {
  const { bytes, logId, segment } = source;
  const head = readFrameHead(bytes.subarray(offset), { logId, segment, offset });
  const frameEnd = head === undefined ? bytes.length : offset + frameBytes(head.length);
  for (const position of head === undefined ? headBytesOff(source, offset) : bytesOffAfterHead(bytes, offset, head)) {
    const sector = position - (position % SECTOR_BYTES);
    const shared = bytes.subarray(Math.max(offset, sector), sector + SECTOR_BYTES);
    const own = Math.min(frameEnd, sector + SECTOR_BYTES) - Math.max(offset, sector);
    if (own >= PROVING_BYTES_MIN && !isZero(shared)) return position;
  }
  return undefined;
}

function* headBytesOff(source: SegmentBytes, offset: number): Generator<number> {
  const { bytes, logId, segment } = source;
  const place = { logId, segment, offset };
  const patched = bytes.slice(offset, offset + FRAME_HEAD_BYTES);
  if (patched.length < FRAME_HEAD_BYTES) return;
  for (let at = 0; at < FRAME_HEAD_BYTES; at++) {
    const found = patched[at] as number;
    for (let difference = 1; difference < 256; difference++) {
      patched[at] = found ^ difference;
      const candidate = readFrameHead(patched, place);
      if (candidate !== undefined && isRightWithHead(bytes, offset, patched, candidate)) yield offset + at;
    }
    patched[at] = found;
  }
}

function isRightWithHead(bytes: Uint8Array, offset: number, headBytes: Uint8Array, head: FrameHead): boolean {
  const bodyStart = offset + FRAME_HEAD_BYTES;
  const bodyEnd = bodyStart + head.length;
  if (bodyEnd + HASH_BYTES > bytes.length) return false;
  const hash = frameHash(concatBytes(bytes.subarray(offset - HASH_BYTES, offset), headBytes, bytes.subarray(bodyStart, bodyEnd)));
  return bytesEqual(hash, bytes.subarray(bodyEnd, bodyEnd + HASH_BYTES));
}

function* bytesOffAfterHead(bytes: Uint8Array, offset: number, head: FrameHead): Generator<number> {
  const bodyStart = offset + FRAME_HEAD_BYTES;
  const bodyEnd = bodyStart + head.length;
  if (bodyEnd + HASH_BYTES > bytes.length) return;
  const hashed = bytes.slice(offset - HASH_BYTES, bodyEnd);
  const stored = bytes.subarray(bodyEnd, bodyEnd + HASH_BYTES);
  const differing = differencesOf(frameHash(hashed), stored);
  if (differing.length === 1) yield bodyEnd + (differing[0] as number);
  const bodyAt = HASH_BYTES + FRAME_HEAD_BYTES;
  for (const { position, difference } of findByteErrors(head.length, head.bodyCrc, crc32(hashed.subarray(bodyAt)))) {
    const at = bodyAt + position;
    hashed[at] = (hashed[at] as number) ^ difference;
    if (bytesEqual(frameHash(hashed), stored)) yield bodyStart + position;
    hashed[at] = (hashed[at] as number) ^ difference;
  }
}

/** Compared natively, since most of a log that is laid out ahead is zeros and every start looks at them. */
const ZEROS = new Uint8Array(4096);

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

function shapeOf(source: SegmentBytes, offset: number): TornTail["shape"] {
  const { bytes, logId, segment } = source;
  const head = readFrameHead(bytes.subarray(offset), { logId, segment, offset });
  const end = head === undefined ? bytes.length : offset + frameBytes(head.length);
  if (end > bytes.length || bytes.length - offset < FRAME_OVERHEAD_BYTES) return "cut";
  for (let from = offset; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (isZero(bytes.subarray(from, to))) return "zeros";
    from = to;
  }
  return "garbled";
}
