import { EMPTY_MERKLE_ROOT, sha256 } from "../crypto/index.ts";
import { findEntryKeyLength } from "../protocol/index.ts";
import { copyBytes } from "./copy-bytes.ts";
import { countOf, type PackedBucket, SLOT_KEY_BYTES, valueStart } from "./packed-bucket.ts";

const HASH_BYTES = 32;
const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;

/** Input of a node's hash, 0x01 | left | right: filled and hashed at once, kept for nothing. */
export const pairInput = new Uint8Array(1 + 2 * HASH_BYTES);
pairInput[0] = NODE_PREFIX;
/** 0x00 | u32 count | root. */
const summary = new Uint8Array(1 + 4 + HASH_BYTES);
summary[0] = LEAF_PREFIX;
/** Hashes of the bucket in work, one level at a time; grows to the largest bucket seen. */
let level = new Uint8Array(64 * HASH_BYTES);

/** Hash of the entry at a position of a bucket, as `stateLeafHash` defines it. */
export function entryHash(bucket: PackedBucket, index: number): Uint8Array {
  const keyStart = 4 + index * SLOT_KEY_BYTES;
  const keyLength = findEntryKeyLength(bucket[keyStart] as number) ?? 0;
  const start = valueStart(bucket, index);
  const end = valueStart(bucket, index + 1);
  const leaf = new Uint8Array(2 + keyLength + end - start);
  leaf[0] = LEAF_PREFIX;
  leaf[1] = keyLength;
  copyBytes(bucket, keyStart, keyStart + keyLength, leaf, 2);
  copyBytes(bucket, start, end, leaf, 2 + keyLength);
  return sha256(leaf);
}

/** RFC 6962 root over a bucket's entries. Works in one array of its own, so a bucket costs few allocations. */
export function bucketRootOf(bucket: PackedBucket): Uint8Array {
  const count = countOf(bucket);
  if (count === 1) return entryHash(bucket, 0);
  if (level.length < count * HASH_BYTES) level = new Uint8Array(2 * count * HASH_BYTES);
  for (let i = 0; i < count; i++) level.set(entryHash(bucket, i), i * HASH_BYTES);
  for (let width = count; width > 1; width = (width + 1) >>> 1) {
    for (let i = 0; i + 1 < width; i += 2) level.set(pairHash(level, i * HASH_BYTES), (i >>> 1) * HASH_BYTES);
    if ((width & 1) === 1) level.copyWithin((width >>> 1) * HASH_BYTES, (width - 1) * HASH_BYTES, width * HASH_BYTES);
  }
  return level.slice(0, HASH_BYTES);
}

/** Hash of a bucket, the leaf of the tree above, as `stateBucketHash` defines it. */
export function bucketHash(bucket: PackedBucket | undefined): Uint8Array {
  if (bucket === undefined) return EMPTY_BUCKET_HASH;
  copyBytes(bucket, 0, 4, summary, 1);
  summary.set(bucketRootOf(bucket), 5);
  return sha256(summary);
}

/** RFC 6962 node over two hashes that lie side by side. */
export function pairHash(hashes: Uint8Array, at: number): Uint8Array {
  copyBytes(hashes, at, at + 2 * HASH_BYTES, pairInput, 1);
  return sha256(pairInput);
}

/** Hash of the bucket without entries. */
export const EMPTY_BUCKET_HASH: Uint8Array = emptyBucketHash();

function emptyBucketHash(): Uint8Array {
  summary.fill(0, 1, 5);
  summary.set(EMPTY_MERKLE_ROOT, 5);
  return sha256(summary);
}
