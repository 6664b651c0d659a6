import { assert } from "../kernel/index.ts";
import { findEntryKeyLength } from "../protocol/index.ts";
import { copyBytes } from "./copy-bytes.ts";

/**
 * The entries of one bucket in one array, never written after it is made: u32 count | count keys of 33 bytes, ascending |
 * count u32 ends of values, counted from the first value | values. Integers are big-endian. An empty bucket is no array.
 *
 * One array a bucket costs about 50 bytes an account and little for the garbage collector to walk, where a map of
 * objects costs over 200; being immutable it can be read, kept and written out without copying.
 */
export type PackedBucket = Uint8Array;

/** Bytes of a key in a packed bucket. A key of one byte is filled up with zeros: order and identity stay. */
export const SLOT_KEY_BYTES = 33;
const COUNT_BYTES = 4;
const END_BYTES = 4;

/** Entries in the bucket. */
export function countOf(bucket: PackedBucket): number {
  return readU32(bucket, 0);
}

/** State key of the entry at a position, a copy. */
export function keyAt(bucket: PackedBucket, index: number): Uint8Array {
  const start = keyStart(index);
  return bucket.slice(start, start + (findEntryKeyLength(bucket[start] as number) ?? 0));
}

/** Encoded value of the entry at a position, a copy. */
export function valueAt(bucket: PackedBucket, index: number): Uint8Array {
  return bucket.slice(valueStart(bucket, index), valueStart(bucket, index + 1));
}

/** Where the value of the entry at a position begins in the array; for position `count`, where the last value ends. */
export function valueStart(bucket: PackedBucket, index: number): number {
  const ends = keyStart(countOf(bucket));
  const values = ends + END_BYTES * countOf(bucket);
  return index === 0 ? values : values + readU32(bucket, ends + END_BYTES * (index - 1));
}

/** Position of the first entry, from `from` on, whose key is not below this one: up to count. */
export function lowerBound(bucket: PackedBucket, key: Uint8Array, from = 0): number {
  let low = from;
  let high = countOf(bucket);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKey(bucket, middle, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether the entry at a position is there and has this key. */
export function isKeyAt(bucket: PackedBucket, index: number, key: Uint8Array): boolean {
  return index < countOf(bucket) && compareKey(bucket, index, key) === 0;
}

/** First position of the keys of a bucket with that many entries, and of the first end behind them. */
function keyStart(index: number): number {
  return COUNT_BYTES + index * SLOT_KEY_BYTES;
}

/** Orders the key at a position against a state key; a byte that the shorter one lacks counts as zero. */
function compareKey(bucket: PackedBucket, index: number, key: Uint8Array): number {
  const start = keyStart(index);
  for (let i = 0; i < SLOT_KEY_BYTES; i++) {
    const difference = (bucket[start + i] as number) - (i < key.length ? (key[i] as number) : 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** What becomes of one entry of a bucket: its new encoded value, or undefined when it goes. */
export type BucketChange = { readonly key: Uint8Array; readonly value: Uint8Array | undefined };

/** A run of entries taken over from the old bucket, or one new entry. */
type Piece = { readonly from: number; readonly to: number; readonly entry: { key: Uint8Array; value: Uint8Array } | undefined };

/** The bucket after changes, which are in ascending order of key without repeats; undefined when nothing is left. */
export function mergeBucket(bucket: PackedBucket | undefined, changes: readonly BucketChange[]): PackedBucket | undefined {
  const replaced = bucket === undefined ? undefined : replaceInPlace(bucket, changes);
  if (replaced !== undefined) return replaced;
  const pieces: Piece[] = [];
  const count = bucket === undefined ? 0 : countOf(bucket);
  let at = 0;
  for (const { key, value } of changes) {
    const index = bucket === undefined ? 0 : lowerBound(bucket, key, at);
    if (index > at) pieces.push({ from: at, to: index, entry: undefined });
    at = bucket !== undefined && isKeyAt(bucket, index, key) ? index + 1 : index;
    if (value !== undefined) pieces.push({ from: 0, to: 0, entry: { key, value } });
  }
  if (count > at) pieces.push({ from: at, to: count, entry: undefined });
  return assemble(bucket ?? EMPTY, pieces);
}

/** A copy with the values replaced, when every key is there already and no value changes its length: nearly always so. */
function replaceInPlace(bucket: PackedBucket, changes: readonly BucketChange[]): PackedBucket | undefined {
  const copy = bucket.slice();
  let at = 0;
  for (const { key, value } of changes) {
    at = lowerBound(bucket, key, at);
    if (value === undefined || !isKeyAt(bucket, at, key)) return undefined;
    const start = valueStart(bucket, at);
    if (valueStart(bucket, at + 1) - start !== value.length) return undefined;
    copy.set(value, start);
  }
  return copy;
}

/** Stands in for the old bucket where there is none; no piece refers to it. */
const EMPTY: PackedBucket = new Uint8Array(COUNT_BYTES);

function assemble(bucket: PackedBucket, pieces: readonly Piece[]): PackedBucket | undefined {
  let count = 0;
  let valueBytes = 0;
  for (const { from, to, entry } of pieces) {
    count += entry === undefined ? to - from : 1;
    valueBytes += entry === undefined ? valueStart(bucket, to) - valueStart(bucket, from) : entry.value.length;
  }
  if (count === 0) return undefined;
  const ends = keyStart(count);
  const values = ends + END_BYTES * count;
  const packed = new Uint8Array(values + valueBytes);
  writeU32(packed, 0, count);
  let index = 0;
  let end = 0;
  for (const { from, to, entry } of pieces) {
    if (entry !== undefined) {
      assert(entry.key.length <= SLOT_KEY_BYTES && entry.value.length > 0, "an entry has a key of the state and a value");
      packed.set(entry.key, keyStart(index));
      packed.set(entry.value, values + end);
      end += entry.value.length;
      writeU32(packed, ends + END_BYTES * index++, end);
      continue;
    }
    const start = valueStart(bucket, from);
    copyBytes(bucket, keyStart(from), keyStart(to), packed, keyStart(index));
    copyBytes(bucket, start, valueStart(bucket, to), packed, values + end);
    for (let old = from; old < to; old++) writeU32(packed, ends + END_BYTES * index++, end + valueStart(bucket, old + 1) - start);
    end += valueStart(bucket, to) - start;
  }
  return packed;
}

/**
 * Whether bytes from outside the process (a checkpoint) have the layout of a packed bucket, so that reading them is
 * safe: sizes agree, keys are of known kinds and strictly ascending, no value is empty. Total.
 */
export function isPackedBucket(bytes: Uint8Array): boolean {
  if (bytes.length < COUNT_BYTES) return false;
  const count = countOf(bytes);
  const ends = keyStart(count);
  if (count === 0 || ends + END_BYTES * count > bytes.length) return false;
  let end = 0;
  for (let i = 0; i < count; i++) {
    const next = readU32(bytes, ends + END_BYTES * i);
    if (next <= end || !isStateKey(bytes, keyStart(i)) || (i > 0 && !isAscending(bytes, keyStart(i - 1)))) return false;
    end = next;
  }
  return ends + END_BYTES * count + end === bytes.length;
}

function isStateKey(bytes: Uint8Array, start: number): boolean {
  const length = findEntryKeyLength(bytes[start] as number);
  if (length === undefined) return false;
  for (let i = length; i < SLOT_KEY_BYTES; i++) if (bytes[start + i] !== 0) return false;
  return true;
}

/** Whether the key here is below the next one. */
function isAscending(bytes: Uint8Array, start: number): boolean {
  for (let i = start; i < start + SLOT_KEY_BYTES; i++) {
    const difference = (bytes[i] as number) - (bytes[i + SLOT_KEY_BYTES] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return high * 0x10000 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
