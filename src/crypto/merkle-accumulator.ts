import { assert } from "../kernel/index.ts";
import { EMPTY_MERKLE_ROOT, isDigest, nodeHash } from "./merkle.ts";

/**
 * A growing RFC 6962 tree that keeps only the roots of its whole subtrees: one hash per set bit of its size. Appends cost
 * one to two hashes on average, the root at most one per kept hash. Equal leaves give the root `merkleRootOfHashes` gives.
 */
export class MerkleAccumulator {
  #size: number;
  readonly #peaks: Uint8Array[];

  /**
   * An empty tree, or one carried on from its `size` and `peaks`.
   *
   * @param size leaves so far
   * @param peaks roots of the whole subtrees, largest first, one per set bit of `size`
   */
  constructor(size = 0, peaks: readonly Uint8Array[] = []) {
    assert(Number.isSafeInteger(size) && size >= 0, "a tree has a whole number of leaves");
    assert(peaks.length === setBits(size) && peaks.every(isDigest), "a tree has one peak of 32 bytes per set bit of its size");
    this.#size = size;
    this.#peaks = [...peaks];
  }

  /** Leaves appended so far. */
  get size(): number {
    return this.#size;
  }

  /** What to keep, with `size`, to carry on later: roots of the whole subtrees, largest first. */
  get peaks(): readonly Uint8Array[] {
    return [...this.#peaks];
  }

  /** Appends the hash of the next leaf (`leafHash` of its content). */
  append(hash: Uint8Array): void {
    assert(isDigest(hash), "a leaf hash has 32 bytes");
    let merged = hash;
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      const left = this.#peaks.pop();
      assert(left !== undefined, "each set bit of the size has a peak");
      merged = nodeHash(left, merged);
    }
    this.#peaks.push(merged);
    this.#size++;
  }

  /** Root over all leaves so far. */
  root(): Uint8Array {
    const rightmost = this.#peaks.at(-1);
    if (rightmost === undefined) return EMPTY_MERKLE_ROOT.slice();
    let root = rightmost;
    for (let i = this.#peaks.length - 2; i >= 0; i--) root = nodeHash(this.#peaks[i] as Uint8Array, root);
    return root;
  }
}

function setBits(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
