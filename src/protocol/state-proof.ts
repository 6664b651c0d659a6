import { EMPTY_MERKLE_ROOT, type HashSuite, isDigest, nodeHashBy, verifyInclusion } from "../crypto/portable.ts";
import { bytesEqual, CborReader, CborWriter, compareBytes, concatBytes, err, ok, type Result, u32be } from "../kernel/index.ts";

/** Buckets that the key space is cut into by the first 16 bits of SHA-256(key). */
export const STATE_BUCKETS = 65_536;
/** Levels between a bucket and the state root. */
export const STATE_TREE_DEPTH = 16;

/** Bounds of a state proof's parts: what a decoder is willing to read. The largest value is that of the parameters. */
const BOUNDS = { keyBytesMax: 64, valueBytesMax: 32_768, pathMax: 32, witnessesMax: 2, countMax: 0xffffffff } as const;
const LEAF_PREFIX = Uint8Array.of(0);

/** An entry of a bucket, shown with its place among the bucket's entries in key order and the path to the bucket's root. */
export type StateWitness = {
  /** Position in the bucket, from 0. */
  readonly index: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** RFC 6962 inclusion path in the bucket, bottom up. */
  readonly path: readonly Uint8Array[];
};

/**
 * Proof of what the state holds, or that it holds nothing, under one key.
 *
 * Existence: one witness, the entry itself. Absence: the entries next to where the key would stand, two of them, or one
 * when that place is an edge of the bucket, or none when the bucket is empty.
 */
export type StateProof = {
  /** The state key asked for, 1 to 64 bytes. */
  readonly key: Uint8Array;
  /** Entries in the key's bucket. */
  readonly count: number;
  /** RFC 6962 root over the bucket's entries in key order. */
  readonly bucketRoot: Uint8Array;
  readonly witnesses: readonly StateWitness[];
  /** The 16 hashes beside the way from the bucket to the state root, bottom up. */
  readonly bucketPath: readonly Uint8Array[];
};

/**
 * Why a state proof proves nothing: `wrongRoot` its bucket does not lead to the state root, `wrongWitness` an entry does
 * not lead to its bucket, `notProven` the entries shown are neither the key's own nor those on both sides of it.
 */
export type StateProofFault = "wrongRoot" | "wrongWitness" | "notProven";

/** Bucket of a state key: the first 16 bits of SHA-256(key), 0..65535. */
export function stateBucketOf(suite: HashSuite, key: Uint8Array): number {
  const digest = suite.sha256(key);
  return ((digest[0] as number) << 8) | (digest[1] as number);
}

/** Hash of an entry in its bucket: SHA-256(0x00 | u8 key length | key | value), the RFC 6962 leaf of that content. */
export function stateLeafHash(suite: HashSuite, key: Uint8Array, value: Uint8Array): Uint8Array {
  return suite.sha256(concatBytes(LEAF_PREFIX, Uint8Array.of(key.length), key, value));
}

/**
 * Hash of a bucket, a leaf of the tree above: SHA-256(0x00 | u32 count | root). It commits to the count, so that an edge
 * of a bucket can be told from its middle.
 */
export function stateBucketHash(suite: HashSuite, count: number, bucketRoot: Uint8Array): Uint8Array {
  return suite.sha256(concatBytes(LEAF_PREFIX, u32be(count), bucketRoot));
}

/**
 * What a proof proves about its key under a state root: the value, or undefined for proven absence. Total on decoded
 * proofs; pure; runs on native or portable hashing.
 *
 * @see ledger: State commitment and proofs
 */
export function verifyStateProof(
  suite: HashSuite,
  proof: StateProof,
  stateRoot: Uint8Array,
): Result<Uint8Array | undefined, StateProofFault> {
  if (!leadsToRoot(suite, proof, stateRoot)) return err("wrongRoot");
  for (const { index, key, value, path } of proof.witnesses) {
    const leaf = stateLeafHash(suite, key, value);
    if (!verifyInclusion(suite, leaf, index, proof.count, path, proof.bucketRoot)) return err("wrongWitness");
  }
  const [first, second] = proof.witnesses;
  if (!first) return proof.count === 0 && bytesEqual(proof.bucketRoot, EMPTY_MERKLE_ROOT) ? ok(undefined) : err("notProven");
  if (second) return isBetween(proof, first, second) ? ok(undefined) : err("notProven");
  const order = compareBytes(first.key, proof.key);
  if (order === 0) return ok(first.value);
  const isEdge = order > 0 ? first.index === 0 : first.index === proof.count - 1;
  return isEdge ? ok(undefined) : err("notProven");
}

/** Canonical encoding: array [key, count, bucketRoot, [[index, key, value, [hash...]]...], [16 hashes]]. */
export function encodeStateProof(proof: StateProof): Uint8Array {
  const w = new CborWriter(1024).array(5).bytes(proof.key).uint(proof.count).bytes(proof.bucketRoot);
  w.array(proof.witnesses.length);
  for (const witness of proof.witnesses) {
    w.array(4).uint(witness.index).bytes(witness.key).bytes(witness.value);
    writeHashes(w, witness.path);
  }
  writeHashes(w, proof.bucketPath);
  return w.finish();
}

/** Reads what `encodeStateProof` writes: shape and bounds only, nothing is verified. */
export function decodeStateProof(bytes: Uint8Array): Result<StateProof, "malformed"> {
  const r = new CborReader(bytes);
  if (r.array(5) !== 5) r.reject();
  const key = r.bytes(1, BOUNDS.keyBytesMax);
  const count = r.uint(BOUNDS.countMax);
  const bucketRoot = r.bytes(32);
  const witnessCount = r.array(BOUNDS.witnessesMax);
  const witnesses: StateWitness[] = [];
  for (let i = 0; i < witnessCount && !r.isBroken; i++) witnesses.push(readWitness(r));
  const bucketPath = readHashes(r, STATE_TREE_DEPTH);
  if (bucketPath.length !== STATE_TREE_DEPTH) r.reject();
  return r.isComplete ? ok({ key, count, bucketRoot, witnesses, bucketPath }) : err("malformed");
}

function readWitness(r: CborReader): StateWitness {
  if (r.array(4) !== 4) r.reject();
  const index = r.uint(BOUNDS.countMax);
  const key = r.bytes(1, BOUNDS.keyBytesMax);
  const value = r.bytes(1, BOUNDS.valueBytesMax);
  return { index, key, value, path: readHashes(r, BOUNDS.pathMax) };
}

function readHashes(r: CborReader, max: number): Uint8Array[] {
  const count = r.array(max);
  const hashes: Uint8Array[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) hashes.push(r.bytes(32));
  return hashes;
}

function writeHashes(w: CborWriter, hashes: readonly Uint8Array[]): void {
  w.array(hashes.length);
  for (const hash of hashes) w.bytes(hash);
}

/** The bucket is not claimed but computed from the key, so a proof cannot be moved to a bucket where the key is absent. */
function leadsToRoot(suite: HashSuite, proof: StateProof, stateRoot: Uint8Array): boolean {
  const { count, bucketRoot, bucketPath } = proof;
  if (bucketPath.length !== STATE_TREE_DEPTH || !isDigest(bucketRoot) || !bucketPath.every(isDigest)) return false;
  if (!Number.isInteger(count) || count < 0 || count > BOUNDS.countMax) return false;
  let at = stateBucketOf(suite, proof.key);
  let hash = stateBucketHash(suite, count, bucketRoot);
  for (const sibling of bucketPath) {
    hash = (at & 1) === 1 ? nodeHashBy(suite, sibling, hash) : nodeHashBy(suite, hash, sibling);
    at >>= 1;
  }
  return bytesEqual(hash, stateRoot);
}

/** Whether two witnesses are next to each other with the key strictly between. */
function isBetween(proof: StateProof, lower: StateWitness, upper: StateWitness): boolean {
  if (upper.index !== lower.index + 1) return false;
  return compareBytes(lower.key, proof.key) < 0 && compareBytes(proof.key, upper.key) < 0;
}
