import { describe, expect, test } from "bun:test";
import {
  consistencyPath,
  EMPTY_MERKLE_ROOT,
  inclusionPath,
  leafHash,
  MerkleAccumulator,
  merkleRoot,
  nativeSuite,
  nobleSuite,
  verifyConsistency,
  verifyInclusion,
} from "../../src/crypto/index.ts";
import { toHex } from "../../src/kernel/index.ts";
import { hexBytes, loadVectors } from "./load-vectors.ts";

interface Tree {
  readonly leaves: string[];
  readonly emptyRoot: string;
  readonly roots: string[];
  readonly inclusion: { index: number; size: number; path: string[] }[];
  readonly consistency: { oldSize: number; newSize: number; path: string[] }[];
}
const tree = loadVectors<Tree>("rfc/rfc6962-tree.json");
const leaves = tree.leaves.map(hexBytes);
const hashes = leaves.map(leafHash);
const rootOf = (size: number): Uint8Array => hexBytes(tree.roots[size - 1] ?? "");

describe("RFC 6962 reference tree", () => {
  test("merkle: no leaf, the hash of nothing", () => {
    expect(toHex(merkleRoot([]))).toBe(tree.emptyRoot);
    expect(toHex(EMPTY_MERKLE_ROOT)).toBe(tree.emptyRoot);
    expect(toHex(new MerkleAccumulator().root())).toBe(tree.emptyRoot);
  });

  test("merkle: one to eight leaves, the published roots, at once and one by one", () => {
    const accumulator = new MerkleAccumulator();
    for (const [i, hash] of hashes.entries()) {
      accumulator.append(hash);
      expect(toHex(merkleRoot(leaves.slice(0, i + 1)))).toBe(tree.roots[i] ?? "");
      expect(toHex(accumulator.root())).toBe(tree.roots[i] ?? "");
    }
  });

  test.each(tree.inclusion.map((c) => [c.index, c.size, c.path] as const))(
    "merkle: leaf %d of %d, the published inclusion path, verified",
    (index, size, path) => {
      expect(inclusionPath(hashes.slice(0, size), index).map(toHex)).toEqual([...path]);
      for (const suite of [nativeSuite, nobleSuite]) {
        expect(verifyInclusion(suite, hashes[index] ?? new Uint8Array(0), index, size, path.map(hexBytes), rootOf(size))).toBe(true);
      }
    },
  );

  test.each(tree.consistency.map((c) => [c.oldSize, c.newSize, c.path] as const))(
    "merkle: from %d to %d leaves, the published consistency path, verified",
    (oldSize, newSize, path) => {
      expect(consistencyPath(hashes.slice(0, newSize), oldSize).map(toHex)).toEqual([...path]);
      for (const suite of [nativeSuite, nobleSuite]) {
        expect(verifyConsistency(suite, oldSize, newSize, rootOf(oldSize), rootOf(newSize), path.map(hexBytes))).toBe(true);
      }
    },
  );
});
