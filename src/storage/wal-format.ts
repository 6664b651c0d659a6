/**
 * The bytes of SQLite's write-ahead log, as far as its checksums reach.
 *
 * @see https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */

/** Bytes of the file's header. */
export const WAL_HEADER_BYTES = 32;

/** Bytes of the header of each frame, before its page. */
export const WAL_FRAME_HEADER_BYTES = 24;

/** First four bytes of a log whose checksums read words as little-endian: what SQLite writes on every machine we run on. */
const MAGIC_LITTLE_ENDIAN = 0x377f0682;
const FORMAT_VERSION = 3007000;

/** The running checksum: two sums of 32-bit words, each step adding a word and the other sum. */
export interface WalChecksum {
  readonly first: number;
  readonly second: number;
}

/** The checksum before the first byte. */
const WAL_CHECKSUM_START: WalChecksum = { first: 0, second: 0 };

/** Carries the checksum on over bytes; their count is a multiple of 8 and their offset in memory one of 4. */
export function walChecksum(start: WalChecksum, bytes: Uint8Array): WalChecksum {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let first = start.first | 0;
  let second = start.second | 0;
  for (let at = 0; at < words.length; at += 2) {
    first = (first + (words[at] as number) + second) | 0;
    second = (second + (words[at + 1] as number) + first) | 0;
  }
  return { first: first >>> 0, second: second >>> 0 };
}

/** Whether two checksums are the same. */
export function isSameChecksum(a: WalChecksum, b: WalChecksum): boolean {
  return a.first === b.first && a.second === b.second;
}

/** What the header of the file says. */
export interface WalHeader {
  readonly pageBytes: number;
  /** New for every life of the log; each frame carries it. */
  readonly salt: WalSalt;
  /** The checksum that the first frame carries on. */
  readonly checksum: WalChecksum;
}

/** Two numbers that tell one life of a log from another. */
export interface WalSalt {
  readonly first: number;
  readonly second: number;
}

/** Whether two salts are the same. */
export function isSameSalt(a: WalSalt, b: WalSalt): boolean {
  return a.first === b.first && a.second === b.second;
}

/** Decodes the header; undefined unless magic, version and checksum are right. */
export function decodeWalHeader(bytes: Uint8Array): WalHeader | undefined {
  if (bytes.length < WAL_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, WAL_HEADER_BYTES);
  const checksum = walChecksum(WAL_CHECKSUM_START, bytes.subarray(0, 24));
  if (view.getUint32(0) !== MAGIC_LITTLE_ENDIAN || view.getUint32(4) !== FORMAT_VERSION) return undefined;
  if (view.getUint32(24) !== checksum.first || view.getUint32(28) !== checksum.second) return undefined;
  const pageBytes = view.getUint32(8);
  if (pageBytes < 512 || pageBytes > 65536 || (pageBytes & (pageBytes - 1)) !== 0) return undefined;
  return { pageBytes, salt: { first: view.getUint32(16), second: view.getUint32(20) }, checksum };
}

/** What the header of a frame says. */
export interface WalFrameHeader {
  /** Page of the database, from 1. */
  readonly page: number;
  /** Pages of the database after the commit that this frame ends; 0 when it ends none. */
  readonly pageCount: number;
  readonly salt: WalSalt;
  /** The checksum from the start of the log through this frame. */
  readonly checksum: WalChecksum;
}

/** Decodes the header of a frame; judges nothing. */
export function decodeWalFrameHeader(bytes: Uint8Array): WalFrameHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, WAL_FRAME_HEADER_BYTES);
  return {
    page: view.getUint32(0),
    pageCount: view.getUint32(4),
    salt: { first: view.getUint32(8), second: view.getUint32(12) },
    checksum: { first: view.getUint32(16), second: view.getUint32(20) },
  };
}

/** Offset of a frame in the file; frames count from 0. */
export function walFrameOffset(pageBytes: number, frame: number): number {
  return WAL_HEADER_BYTES + frame * (WAL_FRAME_HEADER_BYTES + pageBytes);
}
