import { assert, bytesEqual } from "../kernel/index.ts";
import { EMPTY_MERKLE_ROOT, isDigest, merkleRootOfHashes, nodeHashBy } from "./merkle.ts";
import type { HashSuite } from "./suite.ts";

/**
 * The hashes that prove a tree of the first `oldSize` leaves to be the beginning of the tree of all of them.
 *
 * @param oldSize 0..leafHashes.length; 0 and the whole need no hashes
 * @see RFC 9162 section 2.1.4.1, PROOF
 */
export function consistencyPath(leafHashes: readonly Uint8Array[], oldSize: number): Uint8Array[] {
  assert(Number.isInteger(oldSize) && oldSize >= 0 && oldSize <= leafHashes.length, "the older tree is a beginning of the newer");
  return oldSize === 0 ? [] : subproof(leafHashes, oldSize, true);
}

/**
 * Whether a path proves that the tree with `newRoot` begins with the tree with `oldRoot`. Total: any numbers, lengths and
 * counts get a verdict, and the work is bounded by the length of the path.
 *
 * @see RFC 9162 section 2.1.4.2
 */
export function verifyConsistency(
  suite: HashSuite,
  oldSize: number,
  newSize: number,
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  if (!Number.isSafeInteger(oldSize) || !Number.isSafeInteger(newSize) || oldSize < 0 || oldSize > newSize) return false;
  if (!isDigest(oldRoot) || !isDigest(newRoot) || !path.every(isDigest)) return false;
  if (oldSize === newSize) return path.length === 0 && bytesEqual(oldRoot, newRoot);
  if (oldSize === 0) return path.length === 0 && bytesEqual(oldRoot, EMPTY_MERKLE_ROOT);
  return climb(suite, oldSize, newSize, oldRoot, newRoot, path);
}

function climb(
  suite: HashSuite,
  oldSize: number,
  newSize: number,
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
  path: readonly Uint8Array[],
): boolean {
  let at = oldSize - 1;
  let last = newSize - 1;
  while (at % 2 === 1) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  // When the old tree is a whole left subtree its root is the start of the climb and is not repeated in the path.
  const [start, ...rest] = at === 0 ? [oldRoot, ...path] : path;
  if (start === undefined) return false;
  let oldHash = start;
  let newHash = start;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      oldHash = nodeHashBy(suite, sibling, oldHash);
      newHash = nodeHashBy(suite, sibling, newHash);
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, Math.floor(last / 2)];
    } else newHash = nodeHashBy(suite, newHash, sibling);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 && bytesEqual(oldHash, oldRoot) && bytesEqual(newHash, newRoot);
}

/** SUBPROOF of the RFC; `isOldRootKnown` while the part asked for is the whole older tree, whose root the verifier has. */
function subproof(leafHashes: readonly Uint8Array[], oldSize: number, isOldRootKnown: boolean): Uint8Array[] {
  const size = leafHashes.length;
  if (oldSize === size) return isOldRootKnown ? [] : [merkleRootOfHashes(leafHashes)];
  const split = largestPowerOfTwoBelow(size);
  const left = leafHashes.slice(0, split);
  const right = leafHashes.slice(split);
  return oldSize <= split
    ? [...subproof(left, oldSize, isOldRootKnown), merkleRootOfHashes(right)]
    : [...subproof(right, oldSize - split, false), merkleRootOfHashes(left)];
}

function largestPowerOfTwoBelow(size: number): number {
  let power = 1;
  while (2 * power < size) power *= 2;
  return power;
}
