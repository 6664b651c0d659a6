import { assert, bytesEqual } from "../kernel/index.ts";
import { DIGEST_BYTES, sha256 } from "./sha256.ts";
import type { HashSuite } from "./suite.ts";

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** Root of the tree without leaves: SHA-256 of nothing. */
export const EMPTY_MERKLE_ROOT: Uint8Array = sha256(new Uint8Array(0));

const NATIVE: HashSuite = { sha256: (bytes) => sha256(bytes) };

/** Hash of a leaf: SHA-256(0x00 | content). The prefix keeps a leaf from passing for a node. */
export function leafHash(content: Uint8Array): Uint8Array {
  const prefixed = new Uint8Array(1 + content.length);
  prefixed[0] = LEAF_PREFIX;
  prefixed.set(content, 1);
  return sha256(prefixed);
}

/** Hash of an inner node: SHA-256(0x01 | left | right), both 32 bytes. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return nodeHashBy(NATIVE, left, right);
}

/** `nodeHash` by a given suite. */
export function nodeHashBy(suite: HashSuite, left: Uint8Array, right: Uint8Array): Uint8Array {
  const joined = new Uint8Array(1 + 2 * DIGEST_BYTES);
  joined[0] = NODE_PREFIX;
  joined.set(left, 1);
  joined.set(right, 1 + DIGEST_BYTES);
  return suite.sha256(joined);
}

/**
 * Root over contents in order.
 *
 * @see RFC 6962 section 2.1, MTH
 */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  return merkleRootOfHashes(leaves.map(leafHash));
}

/** Root over leaf hashes in order. A fresh array unless there is a single leaf, whose hash is the root. */
export function merkleRootOfHashes(leafHashes: readonly Uint8Array[]): Uint8Array {
  if (leafHashes.length === 0) return EMPTY_MERKLE_ROOT.slice();
  let level = leafHashes;
  while (level.length > 1) level = levelAbove(level);
  return level[0] as Uint8Array;
}

/**
 * The hashes that lead from one leaf to the root, from the bottom up.
 *
 * @param index of the leaf, 0..leafHashes.length-1
 * @see RFC 6962 section 2.1.1, PATH
 */
export function inclusionPath(leafHashes: readonly Uint8Array[], index: number): Uint8Array[] {
  assert(Number.isInteger(index) && index >= 0 && index < leafHashes.length, "a path starts at a leaf of the tree");
  const path: Uint8Array[] = [];
  let at = index;
  for (let level = leafHashes; level.length > 1; level = levelAbove(level)) {
    const sibling = level[at % 2 === 0 ? at + 1 : at - 1];
    if (sibling !== undefined) path.push(sibling);
    at = Math.floor(at / 2);
  }
  return path;
}

/**
 * Whether a path proves that the leaf at `index` of a tree of `size` leaves has this hash. Total: any numbers, lengths
 * and counts get a verdict, and the work is bounded by the length of the path.
 *
 * @see RFC 9162 section 2.1.3.2
 */
export function verifyInclusion(
  suite: HashSuite,
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return false;
  if (!isDigest(leaf) || !path.every(isDigest)) return false;
  let at = index;
  let last = size - 1;
  let hash = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      hash = nodeHashBy(suite, sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else hash = nodeHashBy(suite, hash, sibling);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && bytesEqual(hash, root);
}

/**
 * The root that a path leads to from the leaf at `index`, or undefined when no tree gives that leaf a path of this
 * length. The tree's size is not needed: a set bit of the index is a left sibling, and the right siblings stand at the
 * lowest clear bits, since above the last of them the way runs along the tree's right edge. It proves that the leaf is in
 * the tree; the index only where the leaf's content holds it, as a receipt does. Then a proof has no size in it that could
 * be changed and still verify.
 */
export function rootOfInclusionPath(
  suite: HashSuite,
  leaf: Uint8Array,
  index: number,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!Number.isSafeInteger(index) || index < 0 || !isDigest(leaf) || !path.every(isDigest)) return undefined;
  let lefts = 0;
  for (let bits = index; bits > 0; bits = Math.floor(bits / 2)) lefts += bits % 2;
  let rights = path.length - lefts;
  let hash = leaf;
  let at = index;
  for (const sibling of path) {
    while (at % 2 === 0 && rights <= 0) {
      if (at === 0) return undefined;
      at /= 2;
    }
    if (at % 2 === 1) hash = nodeHashBy(suite, sibling, hash);
    else {
      hash = nodeHashBy(suite, hash, sibling);
      rights--;
    }
    at = Math.floor(at / 2);
  }
  return at === 0 ? hash : undefined;
}

/** Whether the bytes have a digest's length. */
export function isDigest(bytes: Uint8Array): boolean {
  return bytes.length === DIGEST_BYTES;
}

/** The level above: pairs hashed, an odd last one carried up as it is, which gives RFC 6962's uneven shape. */
function levelAbove(level: readonly Uint8Array[]): Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i] as Uint8Array;
    const right = level[i + 1];
    above.push(right === undefined ? left : nodeHash(left, right));
  }
  return above;
}
