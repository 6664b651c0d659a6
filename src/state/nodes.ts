import { sha256 } from "../crypto/index.ts";
import { STATE_BUCKETS, STATE_TREE_DEPTH } from "../protocol/index.ts";
import { copyBytes } from "./copy-bytes.ts";
import { EMPTY_BUCKET_HASH, pairHash, pairInput } from "./hasher.ts";

const HASH_BYTES = 32;

/**
 * Number of a bucket's node. Nodes are numbered as in a heap: the root is 1, the children of i are 2i and 2i+1, so
 * siblings lie side by side.
 */
export function leafNode(bucket: number): number {
  return STATE_BUCKETS + bucket;
}

/** Nodes of a chunk. Siblings lie in one, and so do nodes of one level, but for the first chunk, the top of the tree. */
const CHUNK_NODES = 16;
const CHUNKS = (2 * STATE_BUCKETS) / CHUNK_NODES;

/**
 * The hashes above the buckets, all of them. Chunks that nothing has changed yet are those of the empty tree, shared by
 * all trees: a small state takes little memory and no time to set up, a large one 4 MiB.
 */
export class FlatNodes implements NodeSource {
  readonly #chunks: Uint8Array[] = emptyChunks.slice();
  readonly #isOwn = new Uint8Array(CHUNKS);

  copyNode(node: number, into: Uint8Array, at: number): void {
    const start = (node % CHUNK_NODES) * HASH_BYTES;
    copyBytes(this.#chunkOf(node), start, start + HASH_BYTES, into, at);
  }

  /** A node's hash, a copy. */
  get(node: number): Uint8Array {
    const hash = new Uint8Array(HASH_BYTES);
    this.copyNode(node, hash, 0);
    return hash;
  }

  /** Takes a node's hash from a place in another array. */
  set(node: number, from: Uint8Array, at: number): void {
    const number = Math.floor(node / CHUNK_NODES);
    if (this.#isOwn[number] !== 1) {
      this.#chunks[number] = this.#chunkOf(node).slice();
      this.#isOwn[number] = 1;
    }
    copyBytes(from, at, at + HASH_BYTES, this.#chunkOf(node), (node % CHUNK_NODES) * HASH_BYTES);
  }

  #chunkOf(node: number): Uint8Array {
    return this.#chunks[Math.floor(node / CHUNK_NODES)] as Uint8Array;
  }
}

const emptyChunks: readonly Uint8Array[] = makeEmptyChunks();

/** The tree over empty buckets; chunks of one level are one array. */
function makeEmptyChunks(): Uint8Array[] {
  const chunks = new Array<Uint8Array>(CHUNKS);
  const top = new Uint8Array(CHUNK_NODES * HASH_BYTES);
  let hash = EMPTY_BUCKET_HASH;
  for (let first = STATE_BUCKETS; first >= 1; first /= 2) {
    const level = new Uint8Array(CHUNK_NODES * HASH_BYTES);
    for (let i = 0; i < CHUNK_NODES; i++) level.set(hash, i * HASH_BYTES);
    if (first >= CHUNK_NODES) chunks.fill(level, first / CHUNK_NODES, (2 * first) / CHUNK_NODES);
    else for (let node = first; node < 2 * first; node++) top.set(hash, node * HASH_BYTES);
    hash = pairHash(level, 0);
  }
  chunks[0] = top;
  return chunks;
}

/** Where a sparse layer finds the hashes it does not hold itself. */
export interface NodeSource {
  /** Copies a node's hash to a place in another array. */
  copyNode(node: number, into: Uint8Array, at: number): void;
}

/** The changed nodes of one level: their numbers, ascending, and their hashes in the same order. */
type Level = { readonly nodes: Uint32Array; readonly hashes: Uint8Array };

/** The hashes that an unfinalized block changed, and no others. */
export class SparseNodes {
  /** From the buckets (0) up to the root (16); a level without changes is not there. */
  readonly #levels: readonly Level[];

  /**
   * Hashes every node above changed leaves once, taking from below what did not change.
   *
   * @param nodes numbers of the leaves, ascending without repeats
   * @param hashes of the leaves, in the same order
   */
  constructor(nodes: Uint32Array, hashes: Uint8Array, below: NodeSource) {
    const levels: Level[] = [];
    let level: Level = { nodes, hashes };
    while (level.nodes.length > 0) {
      levels.push(level);
      if (level.nodes[0] === ROOT) break;
      level = levelAbove(level, below);
    }
    this.#levels = levels;
  }

  /** Copies a node's hash to a place in another array; false when this layer does not hold it. */
  copy(node: number, into: Uint8Array, at: number): boolean {
    const level = this.#levels[STATE_TREE_DEPTH - depthOf(node)];
    if (level === undefined) return false;
    const place = placeOf(level.nodes, node);
    if (level.nodes[place] !== node) return false;
    copyBytes(level.hashes, place * HASH_BYTES, (place + 1) * HASH_BYTES, into, at);
    return true;
  }

  /** Copies every node held into the full tree. */
  moveInto(flat: FlatNodes): void {
    for (const { nodes, hashes } of this.#levels) {
      for (let i = 0; i < nodes.length; i++) flat.set(nodes[i] as number, hashes, i * HASH_BYTES);
    }
  }
}

const ROOT = 1;
const LEFT = 1;
const RIGHT = 1 + HASH_BYTES;

function levelAbove({ nodes, hashes }: Level, below: NodeSource): Level {
  const parents = new Uint32Array(nodes.length);
  const parentHashes = new Uint8Array(nodes.length * HASH_BYTES);
  let count = 0;
  for (let i = 0; i < nodes.length; count++) {
    const left = (nodes[i] as number) & ~1;
    if (nodes[i] === left) copyBytes(hashes, i * HASH_BYTES, ++i * HASH_BYTES, pairInput, LEFT);
    else below.copyNode(left, pairInput, LEFT);
    if (nodes[i] === left + 1) copyBytes(hashes, i * HASH_BYTES, ++i * HASH_BYTES, pairInput, RIGHT);
    else below.copyNode(left + 1, pairInput, RIGHT);
    parents[count] = left >>> 1;
    parentHashes.set(sha256(pairInput), count * HASH_BYTES);
  }
  return { nodes: parents.subarray(0, count), hashes: parentHashes.subarray(0, count * HASH_BYTES) };
}

/** Levels between a node and the root. */
function depthOf(node: number): number {
  return 31 - Math.clz32(node);
}

/** Position of a number in an ascending list, or of the first one above it. */
function placeOf(nodes: Uint32Array, node: number): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((nodes[middle] as number) < node) low = middle + 1;
    else high = middle;
  }
  return low;
}
