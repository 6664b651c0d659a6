import { sha256 } from "../crypto/index.ts";
import { assert, bytesEqual, utf8 } from "../kernel/index.ts";
import { crc32 } from "./byte-error.ts";

/** Version of the record log's bytes on disk. */
export const LOG_FORMAT_VERSION = 1;

/** Bytes of a SHA-256. */
export const HASH_BYTES = 32;

/** Bytes of a segment's header. */
export const SEGMENT_HEADER_BYTES = 144;

/** Bytes of a frame before its body. */
export const FRAME_HEAD_BYTES = 16;

/** Bytes that a frame adds to its body: head and hash. */
export const FRAME_OVERHEAD_BYTES = FRAME_HEAD_BYTES + HASH_BYTES;

/** Longest body of a record. */
export const RECORD_BYTES_MAX = 2 ** 24 - 1;

const MAGIC = utf8("BZRLOG\r\n");
const NAME_BYTES = 32;
const HASHED_HEADER_BYTES = SEGMENT_HEADER_BYTES - HASH_BYTES;

/** Random identity of a log: tells its segments from those of any other, and no sender can foretell it. */
export const LOG_ID_BYTES = 16;

/** What the header of a segment says. Layout: magic 8, version u32, number u32, firstIndex u64, logId 16, previousSize u32, oldest u32, previousTail 32, name 32, SHA-256 of all before. */
export interface SegmentHeader {
  /** Format version. */
  readonly version: number;
  /** Position of the segment in the log, from 0. */
  readonly number: number;
  /** Index of its first record. */
  readonly firstIndex: number;
  readonly logId: Uint8Array;
  /** Size of the segment before it; 0 for segment 0. */
  readonly previousSizeBytes: number;
  /** Number of the oldest segment that was kept when this one was made. */
  readonly oldest: number;
  /** Hash that ends the segment before it; zeros for segment 0. */
  readonly previousTail: Uint8Array;
  /** What the log is for, e.g. `journal`; at most 32 bytes of UTF-8. */
  readonly name: string;
}

/** Encodes a header with its hash. */
export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const name = utf8(header.name);
  assert(name.length > 0 && name.length <= NAME_BYTES, "the name of a log takes 1 to 32 bytes");
  const out = new Uint8Array(SEGMENT_HEADER_BYTES);
  const view = new DataView(out.buffer);
  out.set(MAGIC, 0);
  view.setUint32(8, header.version);
  view.setUint32(12, header.number);
  view.setBigUint64(16, BigInt(header.firstIndex));
  out.set(header.logId, 24);
  view.setUint32(40, header.previousSizeBytes);
  view.setUint32(44, header.oldest);
  out.set(header.previousTail, 48);
  out.set(name, 80);
  out.set(sha256(out.subarray(0, HASHED_HEADER_BYTES)), HASHED_HEADER_BYTES);
  return out;
}

/** Decodes a header; undefined unless magic and hash are right. The version is for the caller to judge. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytesEqual(bytes.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const hash = bytes.subarray(HASHED_HEADER_BYTES, SEGMENT_HEADER_BYTES);
  if (!bytesEqual(sha256(bytes.subarray(0, HASHED_HEADER_BYTES)), hash)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, SEGMENT_HEADER_BYTES);
  const firstIndex = Number(view.getBigUint64(16));
  if (!Number.isSafeInteger(firstIndex)) return undefined;
  const name = bytes.subarray(80, 80 + NAME_BYTES);
  const end = name.indexOf(0);
  return {
    version: view.getUint32(8),
    number: view.getUint32(12),
    firstIndex,
    logId: bytes.slice(24, 24 + LOG_ID_BYTES),
    previousSizeBytes: view.getUint32(40),
    oldest: view.getUint32(44),
    previousTail: bytes.slice(48, 48 + HASH_BYTES),
    name: new TextDecoder().decode(end < 0 ? name : name.subarray(0, end)),
  };
}

/**
 * What a frame is: a `record` of the owner; a `mark` that everything before it was durable; a `seal` written by a clean
 * close; a `prune`, whose body is the number of the oldest segment still needed (u32).
 */
export type FrameKind = "record" | "mark" | "seal" | "prune";

const BYTE_OF_KIND = { record: 0x52, mark: 0x4d, seal: 0x53, prune: 0x50 } as const satisfies Record<FrameKind, number>;
const KIND_OF_BYTE: ReadonlyMap<number, FrameKind> = new Map([
  [0x52, "record"],
  [0x4d, "mark"],
  [0x53, "seal"],
  [0x50, "prune"],
]);

/** Whether a frame can start with this byte. */
export function isFrameKind(byte: number | undefined): boolean {
  return byte !== undefined && KIND_OF_BYTE.has(byte);
}

/** Head of a frame. Layout: kind u8, length u24, durable u32, CRC-32 of the body u32, CRC-32 of the head with its place u32. */
export interface FrameHead {
  readonly kind: FrameKind;
  /** Bytes of the body. */
  readonly length: number;
  /** Offset in the segment up to which all was durable when this frame was made; at most its own offset. */
  readonly durable: number;
  /** CRC-32 of the body, to find single changed bytes; the hash is what proves the body. */
  readonly bodyCrc: number;
}

/** Where a frame stands: its head is bound to the log, the segment and the offset, so a copy elsewhere is no frame. */
export interface FramePlace {
  readonly logId: Uint8Array;
  readonly segment: number;
  readonly offset: number;
}

const placed = new Uint8Array(LOG_ID_BYTES + 8 + FRAME_HEAD_BYTES - 4);
const placedView = new DataView(placed.buffer);

function headCheck(head: Uint8Array, place: FramePlace): number {
  placed.set(place.logId);
  placedView.setUint32(LOG_ID_BYTES, place.segment);
  placedView.setUint32(LOG_ID_BYTES + 4, place.offset);
  placed.set(head.subarray(0, FRAME_HEAD_BYTES - 4), LOG_ID_BYTES + 8);
  return crc32(placed);
}

/** Writes the head of a frame into `target` (16 bytes). */
export function writeFrameHead(target: Uint8Array, head: FrameHead, place: FramePlace): void {
  assert(head.length <= RECORD_BYTES_MAX, "a record is shorter than 16 MiB");
  assert(head.durable <= place.offset, "what is durable ends before the frame that says so");
  const view = new DataView(target.buffer, target.byteOffset, FRAME_HEAD_BYTES);
  view.setUint32(0, (BYTE_OF_KIND[head.kind] * 2 ** 24 + head.length) >>> 0);
  view.setUint32(4, head.durable);
  view.setUint32(8, head.bodyCrc);
  view.setUint32(12, headCheck(target, place));
}

/** Reads the head of a frame from the first 16 of these bytes; undefined unless it was written for this place. */
export function readFrameHead(bytes: Uint8Array, place: FramePlace): FrameHead | undefined {
  if (bytes.length < FRAME_HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEAD_BYTES);
  const kind = KIND_OF_BYTE.get(view.getUint8(0));
  if (kind === undefined || view.getUint32(12) !== headCheck(bytes, place)) return undefined;
  return { kind, length: view.getUint32(0) & RECORD_BYTES_MAX, durable: view.getUint32(4), bodyCrc: view.getUint32(8) };
}

/**
 * The hash that ends a frame: SHA-256 over the 32 bytes before it (the hash of the frame or header it follows), its head
 * and its body, which lie side by side on disk.
 *
 * @param bytes exactly those bytes
 */
export function frameHash(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** Bytes of a frame with a body of this length. */
export function frameBytes(bodyLength: number): number {
  return FRAME_OVERHEAD_BYTES + bodyLength;
}

/** File name of a segment. */
export function segmentName(number: number): string {
  return `${String(number).padStart(8, "0")}.seg`;
}

/** The number in a segment's file name, or undefined for any other name. */
export function parseSegmentName(name: string): number | undefined {
  return /^[0-9]{8}\.seg$/.test(name) ? Number.parseInt(name, 10) : undefined;
}
