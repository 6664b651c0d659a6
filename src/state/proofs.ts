import { EMPTY_MERKLE_ROOT, inclusionPath, nativeSuite } from "../crypto/index.ts";
import { assert } from "../kernel/index.ts";
import { findEntryKeyLength, type StateProof, type StateWitness, stateBucketOf } from "../protocol/index.ts";
import { bucketRootOf, entryHash } from "./hasher.ts";
import { leafNode } from "./nodes.ts";
import { countOf, isKeyAt, keyAt, lowerBound, type PackedBucket, valueAt } from "./packed-bucket.ts";
import type { StateTree } from "./tree.ts";

/**
 * Proves what the finalized state holds under a key, or that it holds nothing, against `tree.root()`.
 *
 * @param key a state key as `accountKey`, `deviceKey` or SUPPLY_KEY give it
 */
export function proveEntry(tree: StateTree, key: Uint8Array): StateProof {
  assert(findEntryKeyLength(key[0] ?? -1) === key.length, "what is proven is a state key: a kind and its 32-byte key, or the supply's");
  const bucket = stateBucketOf(nativeSuite, key);
  const entries = tree.findBucket(bucket);
  const bucketPath: Uint8Array[] = [];
  for (let node = leafNode(bucket); node > 1; node >>>= 1) bucketPath.push(tree.nodeHash(node ^ 1));
  if (entries === undefined) return { key, count: 0, bucketRoot: EMPTY_MERKLE_ROOT, witnesses: [], bucketPath };
  const witnesses = witnessesOf(entries, key);
  return { key, count: countOf(entries), bucketRoot: bucketRootOf(entries), witnesses, bucketPath };
}

/** The entry itself, or those next to where it would stand. */
function witnessesOf(entries: PackedBucket, key: Uint8Array): StateWitness[] {
  const count = countOf(entries);
  const hashes: Uint8Array[] = [];
  for (let i = 0; i < count; i++) hashes.push(entryHash(entries, i));
  const at = lowerBound(entries, key);
  const shown = isKeyAt(entries, at, key) ? [at] : [at - 1, at].filter((index) => index >= 0 && index < count);
  return shown.map((index) => ({
    index,
    key: keyAt(entries, index),
    value: valueAt(entries, index),
    path: inclusionPath(hashes, index),
  }));
}
