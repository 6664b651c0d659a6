/**
 * The state root by its definition, sharing no code with src: entries as [key, value] in hexadecimal, node:crypto, plain
 * recursion. An empty subtree's hash is computed once a level, nothing else is clever.
 *
 * @see ledger: State commitment and proofs; docs/state-proof.cddl
 */
import { createHash } from "node:crypto";

const sha256 = (...parts: Uint8Array[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);

/** Bucket of a key: the first 16 bits of its SHA-256. */
function slowBucketOf(keyHex: string): number {
  return sha256(Buffer.from(keyHex, "hex")).readUInt16BE(0);
}

/** RFC 6962 tree hash: split at the largest power of two below the count. */
function treeHash(leaves: Buffer[]): Buffer {
  const [only] = leaves;
  if (only === undefined) return sha256();
  if (leaves.length === 1) return only;
  let split = 1;
  while (2 * split < leaves.length) split *= 2;
  return sha256(NODE, treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

function bucketHash(entries: [string, string][]): Buffer {
  const leaves = [...entries]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a, "hex"), Buffer.from(b, "hex")))
    .map(([key, value]) => sha256(LEAF, Buffer.from([key.length / 2]), Buffer.from(key, "hex"), Buffer.from(value, "hex")));
  const count = Buffer.alloc(4);
  count.writeUInt32BE(leaves.length);
  return sha256(LEAF, count, treeHash(leaves));
}

const EMPTY: Buffer[] = [bucketHash([])];
for (let level = 1; level <= 16; level++) EMPTY.push(sha256(NODE, EMPTY[level - 1] as Buffer, EMPTY[level - 1] as Buffer));

/** State root over entries in any order, in hexadecimal. */
export function slowRoot(entries: Iterable<readonly [string, string]>): string {
  const buckets = new Map<number, [string, string][]>();
  for (const [key, value] of entries) {
    const bucket = slowBucketOf(key);
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), [key, value]]);
  }
  let level = new Map([...buckets].map(([bucket, held]) => [bucket, bucketHash(held)]));
  for (let height = 0; height < 16; height++) {
    const above = new Map<number, Buffer>();
    const at = (node: number): Buffer => level.get(node) ?? (EMPTY[height] as Buffer);
    for (const node of level.keys()) {
      const parent = Math.floor(node / 2);
      above.set(parent, sha256(NODE, at(2 * parent), at(2 * parent + 1)));
    }
    level = above;
  }
  return (level.get(0) ?? (EMPTY[16] as Buffer)).toString("hex");
}
