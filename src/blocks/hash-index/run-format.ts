import { assert, bytesEqual, utf8 } from "../../kernel/index.ts";

/** Bytes of a page: the unit of reading, of checking, and of the file's layout. Page 0 is the header. */
export const PAGE_BYTES = 4_096;
/** Bytes of an entry: the first 8 of the hash (whoever looks up compares the rest at the position), then a packed position in 6. */
const ENTRY_BYTES = 14;

const CHECK_BYTES = 8;
/** Entries in a full page. */
export const PAGE_ENTRIES = Math.floor((PAGE_BYTES - CHECK_BYTES) / ENTRY_BYTES);

const FORMAT_VERSION = 1;
const MAGIC = utf8("BZRIDX\r\n");

/** What the first page of a run says. Layout: magic 8, version u32, chain id 32, fromHeight u64, toHeight u64, count u64. */
export type RunHeader = {
  readonly chainId: Uint8Array;
  /** First and last block whose hashes are in the run. */
  readonly fromHeight: number;
  readonly toHeight: number;
  /** Entries, in ascending order of prefix, then position. */
  readonly count: number;
};

/** Pages of entries that a run of `count` entries has after its header. */
export function dataPagesOf(count: number): number {
  return Math.ceil(count / PAGE_ENTRIES);
}

/** Length in bytes of a run's file. */
export function runBytesOf(count: number): number {
  return PAGE_BYTES * (1 + dataPagesOf(count));
}

/** The header page of a run. */
export function encodeRunHeader(header: RunHeader): Uint8Array {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  page.set(MAGIC, 0);
  view.setUint32(8, FORMAT_VERSION);
  page.set(header.chainId, 12);
  view.setBigUint64(44, BigInt(header.fromHeight));
  view.setBigUint64(52, BigInt(header.toHeight));
  view.setBigUint64(60, BigInt(header.count));
  sealPage(page, 0);
  return page;
}

/** Reads a header page; undefined unless it is whole and of this version. */
export function decodeRunHeader(page: Uint8Array): RunHeader | undefined {
  if (!isPageWhole(page, 0) || !bytesEqual(page.subarray(0, 8), MAGIC)) return undefined;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  if (view.getUint32(8) !== FORMAT_VERSION) return undefined;
  const header = {
    chainId: page.slice(12, 44),
    fromHeight: Number(view.getBigUint64(44)),
    toHeight: Number(view.getBigUint64(52)),
    count: Number(view.getBigUint64(60)),
  };
  return Number.isSafeInteger(header.count) && header.fromHeight <= header.toHeight ? header : undefined;
}

/** Ends a page with the check over its content and its number in the file, so that neither a flip nor a misplaced page passes. */
export function sealPage(page: Uint8Array, pageNumber: number): void {
  assert(page.length === PAGE_BYTES, "a page has its full length");
  new DataView(page.buffer, page.byteOffset).setBigUint64(PAGE_BYTES - CHECK_BYTES, pageCheckOf(page, pageNumber));
}

/** Whether a page is what was written at this place. */
export function isPageWhole(page: Uint8Array, pageNumber: number): boolean {
  if (page.length !== PAGE_BYTES) return false;
  const stored = new DataView(page.buffer, page.byteOffset).getBigUint64(PAGE_BYTES - CHECK_BYTES);
  return stored === pageCheckOf(page, pageNumber);
}

/** Writes entry `slot` of a page. */
export function putEntry(page: Uint8Array, slot: number, prefix: bigint, packed: number): void {
  const at = slot * ENTRY_BYTES;
  const view = new DataView(page.buffer, page.byteOffset);
  view.setBigUint64(at, prefix);
  view.setUint16(at + 8, Math.floor(packed / 2 ** 32));
  view.setUint32(at + 10, packed % 2 ** 32);
}

/** The prefix of entry `slot`. */
export function prefixAt(page: Uint8Array, slot: number): bigint {
  return new DataView(page.buffer, page.byteOffset).getBigUint64(slot * ENTRY_BYTES);
}

/** The packed position of entry `slot`. */
export function packedAt(page: Uint8Array, slot: number): number {
  const view = new DataView(page.buffer, page.byteOffset);
  return view.getUint16(slot * ENTRY_BYTES + 8) * 2 ** 32 + view.getUint32(slot * ENTRY_BYTES + 10);
}

/** The part of a hash that an entry keeps. */
export function prefixOf(hash: Uint8Array): bigint {
  return new DataView(hash.buffer, hash.byteOffset).getBigUint64(0);
}

/** A check against accidents of the disk, not against people: the index is a cache of the chain. */
function pageCheckOf(page: Uint8Array, pageNumber: number): bigint {
  return Bun.hash.xxHash64(page.subarray(0, PAGE_BYTES - CHECK_BYTES), BigInt(pageNumber));
}
