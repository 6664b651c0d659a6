import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  consistencyPath,
  EMPTY_MERKLE_ROOT,
  type HashSuite,
  inclusionPath,
  leafHash,
  MerkleAccumulator,
  merkleRoot,
  merkleRootOfHashes,
  nativeSuite,
  nobleSuite,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from "../../../src/crypto/index.ts";
import { concatBytes, InvariantViolation, toHex, u32be } from "../../../src/kernel/index.ts";

const leaves = (count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => u32be(i));
const hashes = (count: number): Uint8Array[] => leaves(count).map(leafHash);
const flip = (bytes: Uint8Array): Uint8Array => bytes.map((byte, i) => (i === 7 ? byte ^ 1 : byte));

/** MTH of RFC 6962 section 2.1 as its recursion reads, with another SHA-256. */
function slowRoot(entries: readonly Uint8Array[]): Uint8Array {
  const hash = (...parts: Uint8Array[]) => Uint8Array.from(createHash("sha256").update(Buffer.concat(parts)).digest());
  const [only] = entries;
  if (only === undefined) return hash();
  if (entries.length === 1) return hash(Uint8Array.of(0), only);
  const split = 2 ** Math.ceil(Math.log2(entries.length) - 1);
  return hash(Uint8Array.of(1), slowRoot(entries.slice(0, split)), slowRoot(entries.slice(split)));
}

describe("merkle: roots", () => {
  test("root: 0 to 70 leaves, the recursion of the RFC, at once and one by one", () => {
    const accumulator = new MerkleAccumulator();
    for (let count = 0; count <= 70; count++) {
      const expected = toHex(slowRoot(leaves(count)));
      expect(toHex(merkleRoot(leaves(count)))).toBe(expected);
      expect(toHex(accumulator.root())).toBe(expected);
      accumulator.append(leafHash(u32be(count)));
    }
  });

  test("root: a leaf that spells a node, another root than that node's", () => {
    const [a, b] = hashes(2) as [Uint8Array, Uint8Array];
    expect(leafHash(concatBytes(a, b))).not.toEqual(nodeHash(a, b));
  });

  test("root: the caller's arrays, left alone and not shared when empty", () => {
    const given = hashes(5);
    const before = given.map(toHex);
    merkleRootOfHashes(given);
    expect(given.map(toHex)).toEqual(before);
    merkleRootOfHashes([])[0] = 0;
    expect(toHex(EMPTY_MERKLE_ROOT)).toStartWith("e3b0");
  });
});

describe("merkle: inclusion", () => {
  test("path: every leaf of every size to 33, verified by both suites and as long as the RFC allows", () => {
    for (let size = 1; size <= 33; size++) {
      const all = hashes(size);
      const root = merkleRootOfHashes(all);
      for (const [index, leaf] of all.entries()) {
        const path = inclusionPath(all, index);
        expect(path.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
        expect(verifyInclusion(nativeSuite, leaf, index, size, path, root)).toBe(true);
        if (size > 28) expect(verifyInclusion(nobleSuite, leaf, index, size, path, root)).toBe(true);
      }
    }
  });

  test("verify: another index, size, leaf, root, or a path changed anywhere, false", () => {
    for (const size of [2, 7, 8, 13]) {
      const all = hashes(size);
      const root = merkleRootOfHashes(all);
      for (const [index, leaf] of all.entries()) {
        const path = inclusionPath(all, index);
        const isValid = (over: { leaf?: Uint8Array; index?: number; size?: number; path?: Uint8Array[]; root?: Uint8Array }) =>
          verifyInclusion(nativeSuite, over.leaf ?? leaf, over.index ?? index, over.size ?? size, over.path ?? path, over.root ?? root);
        expect(isValid({})).toBe(true);
        for (let other = 0; other < size; other++) if (other !== index) expect(isValid({ index: other })).toBe(false);
        expect(isValid({ leaf: flip(leaf) })).toBe(false);
        expect(isValid({ root: flip(root) })).toBe(false);
        expect(isValid({ path: path.slice(1) })).toBe(false);
        expect(isValid({ path: [...path, root] })).toBe(false);
        expect(isValid({ path: [root, ...path] })).toBe(false);
        for (let i = 0; i < path.length; i++) expect(isValid({ path: path.map((hash, j) => (i === j ? flip(hash) : hash)) })).toBe(false);
      }
    }
  });

  test.each([
    [-1, 1],
    [1, 1],
    [0, 0],
    [0.5, 1],
    [0, Number.NaN],
    [0, Number.POSITIVE_INFINITY],
    [0, 2 ** 54],
  ])("verify: index %p of size %p, false", (index, size) => {
    const [leaf] = hashes(1) as [Uint8Array];
    expect(verifyInclusion(nativeSuite, leaf, index, size, [], leaf)).toBe(false);
  });

  test("verify: hashes of other lengths, false", () => {
    const [a, b] = hashes(2) as [Uint8Array, Uint8Array];
    const root = nodeHash(a, b);
    expect(verifyInclusion(nativeSuite, a, 0, 2, [b.subarray(1)], root)).toBe(false);
    expect(verifyInclusion(nativeSuite, a, 0, 2, [concatBytes(b, b)], root)).toBe(false);
    const short = a.subarray(1); // a node hash would pad it with a zero
    expect(verifyInclusion(nativeSuite, a, 0, 2, [short], nodeHash(a, concatBytes(short, Uint8Array.of(0))))).toBe(false);
    expect(verifyConsistency(nativeSuite, 1, 2, a, root, [concatBytes(b, b)])).toBe(false);
    expect(verifyInclusion(nativeSuite, a.subarray(1), 0, 2, [b], root)).toBe(false);
    expect(verifyInclusion(nativeSuite, a, 0, 2, [b], root.subarray(1))).toBe(false);
    expect(verifyInclusion(nativeSuite, concatBytes(a, b), 0, 1, [], root)).toBe(false);
  });

  test("verify: sizes above 2^32, indexes not cut to 32 bits", () => {
    const size = 2 ** 40;
    const index = 2 ** 39 + 5;
    const [leaf] = hashes(1) as [Uint8Array];
    const path = Array.from({ length: 40 }, (_, i) => leafHash(u32be(i)));
    let root = leaf;
    for (const [level, sibling] of path.entries()) {
      root = (BigInt(index) >> BigInt(level)) % 2n === 1n ? nodeHash(sibling, root) : nodeHash(root, sibling);
    }
    expect(verifyInclusion(nativeSuite, leaf, index, size, path, root)).toBe(true);
    expect(verifyInclusion(nativeSuite, leaf, 5, size, path, root)).toBe(false);
    // The last leaf of 2^40 + 2^38 + 1 hangs two levels below the root, which a size cut to 32 bits would not know.
    const last = 2 ** 40 + 2 ** 38;
    const twoLevels = [root, leafHash(u32be(9))] as const;
    expect(verifyInclusion(nativeSuite, leaf, last, last + 1, twoLevels, nodeHash(twoLevels[1], nodeHash(root, leaf)))).toBe(true);
  });

  test("verify: a huge path, refused without hashing past the tree", () => {
    let hashed = 0;
    const counting: HashSuite = {
      sha256: (bytes) => {
        hashed++;
        return nativeSuite.sha256(bytes);
      },
    };
    const [leaf] = hashes(1) as [Uint8Array];
    expect(verifyInclusion(counting, leaf, 0, 4, Array<Uint8Array>(10_000).fill(leaf), leaf)).toBe(false);
    expect(hashed).toBeLessThanOrEqual(2);
  });

  test.each([-1, 3, 0.5])("path: index %p of three leaves, an invariant violation", (index) => {
    expect(() => inclusionPath(hashes(3), index)).toThrow(InvariantViolation);
  });
});

describe("merkle: consistency", () => {
  test("path: every pair of sizes to 20, verified; other sizes and roots refused", () => {
    const roots = Array.from({ length: 21 }, (_, size) => merkleRoot(leaves(size)));
    for (let newSize = 0; newSize <= 20; newSize++) {
      for (let oldSize = 0; oldSize <= newSize; oldSize++) {
        const path = consistencyPath(hashes(newSize), oldSize);
        const [oldRoot, newRoot] = [roots[oldSize], roots[newSize]] as [Uint8Array, Uint8Array];
        expect(verifyConsistency(nativeSuite, oldSize, newSize, oldRoot, newRoot, path)).toBe(true);
        expect(verifyConsistency(nativeSuite, oldSize, newSize, flip(oldRoot), newRoot, path)).toBe(false);
        if (oldSize > 0) expect(verifyConsistency(nativeSuite, oldSize, newSize, oldRoot, flip(newRoot), path)).toBe(false);
        expect(verifyConsistency(nativeSuite, oldSize, newSize, oldRoot, newRoot, [...path, newRoot])).toBe(false);
        if (path.length > 0) expect(verifyConsistency(nativeSuite, oldSize, newSize, oldRoot, newRoot, path.slice(1))).toBe(false);
        if (oldSize > 0 && oldSize < newSize)
          expect(verifyConsistency(nativeSuite, oldSize - 1, newSize, oldRoot, newRoot, path)).toBe(false);
      }
    }
  });

  test("verify: a rewritten history, refused", () => {
    const rewritten = hashes(9).map((hash, i) => (i === 2 ? flip(hash) : hash));
    const path = consistencyPath(rewritten, 5);
    expect(verifyConsistency(nativeSuite, 5, 9, merkleRoot(leaves(5)), merkleRootOfHashes(rewritten), path)).toBe(false);
  });

  test.each([
    [2, 1],
    [-1, 1],
    [0.5, 1],
    [1, Number.NaN],
    [1, 2 ** 54],
  ])("verify: from %p to %p, false", (oldSize, newSize) => {
    const [root] = hashes(1) as [Uint8Array];
    expect(verifyConsistency(nativeSuite, oldSize, newSize, root, root, [])).toBe(false);
    expect(verifyConsistency(nativeSuite, oldSize, newSize, root, root, [root])).toBe(false);
  });

  test.each([-1, 4, 0.5])("path: from %p of three leaves, an invariant violation", (oldSize) => {
    expect(() => consistencyPath(hashes(3), oldSize)).toThrow(InvariantViolation);
  });
});

describe("merkle: accumulator", () => {
  test("accumulator: carried on from size and peaks at any point, the same roots", () => {
    for (let pause = 0; pause <= 20; pause++) {
      const first = new MerkleAccumulator();
      for (const hash of hashes(pause)) first.append(hash);
      const second = new MerkleAccumulator(first.size, first.peaks);
      for (const hash of hashes(20).slice(pause)) second.append(hash);
      expect(second.size).toBe(20);
      expect(toHex(second.root())).toBe(toHex(merkleRoot(leaves(20))));
    }
  });

  test("accumulator: a thousand leaves, never more peaks than bits of its size", () => {
    const accumulator = new MerkleAccumulator();
    for (const hash of hashes(1000)) accumulator.append(hash);
    expect(accumulator.peaks.length).toBe(6); // 1000 = 0b1111101000
    expect(toHex(accumulator.root())).toBe(toHex(merkleRoot(leaves(1000))));
  });

  test("accumulator: its peaks changed by a reader, unmoved", () => {
    const accumulator = new MerkleAccumulator();
    for (const hash of hashes(3)) accumulator.append(hash);
    (accumulator.peaks as Uint8Array[]).pop();
    expect(toHex(accumulator.root())).toBe(toHex(merkleRoot(leaves(3))));
  });

  test("accumulator: peaks that do not fit its size, or a hash of another length, an invariant violation", () => {
    const [a, b] = hashes(2) as [Uint8Array, Uint8Array];
    expect(() => new MerkleAccumulator(1, [])).toThrow(InvariantViolation);
    expect(() => new MerkleAccumulator(2, [a, b])).toThrow(InvariantViolation);
    expect(() => new MerkleAccumulator(1, [a.subarray(1)])).toThrow(InvariantViolation);
    expect(() => new MerkleAccumulator(-1, [])).toThrow(InvariantViolation);
    expect(() => new MerkleAccumulator().append(a.subarray(1))).toThrow(InvariantViolation);
  });
});
