import { describe, expect, test } from "bun:test";
import { inclusionPath, merkleRootOfHashes, nativeSuite, rootOfInclusionPath, sha256 } from "../../../src/crypto/index.ts";

describe("merkle path without a size", () => {
  test("merkle: every leaf of every size to 40, leads to the root; another leaf or a longer path, never", () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = Array.from({ length: size }, (_, i) => sha256(Uint8Array.of(i)));
      const root = merkleRootOfHashes(leaves);
      for (let index = 0; index < size; index++) {
        const path = inclusionPath(leaves, index);
        const leaf = leaves[index] as Uint8Array;
        expect(rootOfInclusionPath(nativeSuite, leaf, index, path)).toEqual(root);
        const sibling = path[0];
        if (sibling) expect(rootOfInclusionPath(nativeSuite, sibling, index, path)).not.toEqual(root);
        expect(rootOfInclusionPath(nativeSuite, leaf, index, [...path, leaf])).not.toEqual(root);
      }
    }
  });

  test("merkle: impossible index, path or digest, undefined and no throw", () => {
    const leaf = sha256();
    expect(rootOfInclusionPath(nativeSuite, leaf, -1, [])).toBeUndefined();
    expect(rootOfInclusionPath(nativeSuite, leaf, 1, [])).toBeUndefined();
    expect(rootOfInclusionPath(nativeSuite, leaf, 2 ** 53 - 1, [leaf])).toBeUndefined();
    expect(rootOfInclusionPath(nativeSuite, leaf.subarray(1), 0, [])).toBeUndefined();
    expect(rootOfInclusionPath(nativeSuite, leaf, 0, [leaf.subarray(1)])).toBeUndefined();
  });
});
