import { STATE_BUCKETS } from "../protocol/index.ts";
import { copyBytes } from "./copy-bytes.ts";
import { EMPTY_BUCKET_HASH, pairHash } from "./hasher.ts";

const HASH_BYTES = 32;

/**
 * Number of a bucket's node. Nodes are numbered as in a heap: the root is 1, the children of i are 2i and 2i+1, so
 * siblings lie side by side.
 */
export function leafNode(bucket: number): number {
  return STATE_BUCKETS + bucket;
}

/** The hashes above the buckets, all of them: one array of 4 MiB. */
export class FlatNodes {
  readonly #hashes = new Uint8Array(2 * STATE_BUCKETS * HASH_BYTES);

  /** The tree over empty buckets. */
  constructor() {
    let hash = EMPTY_BUCKET_HASH;
    for (let first = STATE_BUCKETS; first >= 1; first /= 2) {
      for (let node = first; node < 2 * first; node++) this.#hashes.set(hash, node * HASH_BYTES);
      hash = pairHash(this.#hashes, first * HASH_BYTES);
    }
  }

  /** Copies a node's hash to a place in another array. */
  copy(node: number, into: Uint8Array, at: number): void {
    copyBytes(this.#hashes, node * HASH_BYTES, (node + 1) * HASH_BYTES, into, at);
  }

  /** A node's hash, a copy. */
  get(node: number): Uint8Array {
    return this.#hashes.slice(node * HASH_BYTES, (node + 1) * HASH_BYTES);
  }

  /** Takes a node's hash from a place in another array. */
  set(node: number, from: Uint8Array, at: number): void {
    copyBytes(from, at, at + HASH_BYTES, this.#hashes, node * HASH_BYTES);
  }

  /** Rehashes everything above the marked nodes (indexed by number), and clears the marks. The marked leaves are set already. */
  rehashAbove(isStale: Uint8Array): void {
    for (let node = 2 * STATE_BUCKETS - 1; node >= 1; node--) {
      if (isStale[node] !== 1) continue;
      isStale[node] = 0;
      if (node < STATE_BUCKETS) this.#hashes.set(pairHash(this.#hashes, 2 * node * HASH_BYTES), node * HASH_BYTES);
      isStale[node >>> 1] = 1;
    }
    isStale[0] = 0;
  }
}

/** Where a sparse layer finds the hashes it does not hold itself. */
export interface NodeSource {
  /** Copies a node's hash to a place in another array. */
  copyNode(node: number, into: Uint8Array, at: number): void;
}

/** The hashes that an unfinalized block changed, and no others. */
export class SparseNodes {
  readonly #places = new Map<number, number>();
  #hashes: Uint8Array;

  /** @param changedLeaves how many buckets will be set; room is made for their way to the root */
  constructor(changedLeaves: number) {
    this.#hashes = new Uint8Array(HASH_BYTES * (8 + 8 * changedLeaves));
  }

  /** Nodes held. */
  get size(): number {
    return this.#places.size;
  }

  /** Copies a node's hash to a place in another array; false when this layer does not hold it. */
  copy(node: number, into: Uint8Array, at: number): boolean {
    const start = this.#places.get(node);
    if (start === undefined) return false;
    copyBytes(this.#hashes, start, start + HASH_BYTES, into, at);
    return true;
  }

  /** Adds a node that is not held yet. */
  add(node: number, hash: Uint8Array): void {
    const start = this.#places.size * HASH_BYTES;
    if (start === this.#hashes.length) {
      const grown = new Uint8Array(2 * this.#hashes.length);
      grown.set(this.#hashes);
      this.#hashes = grown;
    }
    this.#hashes.set(hash, start);
    this.#places.set(node, start);
  }

  /** Adds every node above leaves that were added, given by number in ascending order without repeats. */
  addAbove(leaves: readonly number[], below: NodeSource): void {
    const children = new Uint8Array(2 * HASH_BYTES);
    const copy = (node: number, at: number): void => {
      if (!this.copy(node, children, at)) below.copyNode(node, children, at);
    };
    let changed = leaves;
    while (changed.length > 0 && changed[0] !== 1) {
      const parents: number[] = [];
      for (const node of changed) {
        const parent = node >>> 1;
        if (parents[parents.length - 1] === parent) continue;
        parents.push(parent);
        copy(2 * parent, 0);
        copy(2 * parent + 1, HASH_BYTES);
        this.add(parent, pairHash(children, 0));
      }
      changed = parents;
    }
  }

  /** Copies every node held into the full tree. */
  moveInto(flat: FlatNodes): void {
    for (const [node, start] of this.#places) flat.set(node, this.#hashes, start);
  }
}
