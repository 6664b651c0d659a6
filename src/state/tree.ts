import { assert } from "../kernel/index.ts";
import type { EntryChange } from "../ledger/index.ts";
import { decodeEntry, STATE_BUCKETS, type StateEntry } from "../protocol/index.ts";
import { groupByBucket } from "./changes.ts";
import { bucketHash } from "./hasher.ts";
import { FlatNodes, leafNode, SparseNodes } from "./nodes.ts";
import { countOf, keyAt, mergeBucket, type PackedBucket, valueAt } from "./packed-bucket.ts";

/**
 * The state after the last finalized block, whole: 2^16 buckets of entries in key order under one binary tree. Its size
 * depends on what the state holds, not on how long the chain is.
 *
 * @see ledger: State commitment and proofs
 */
export class StateTree {
  readonly #buckets: (PackedBucket | undefined)[] = new Array(STATE_BUCKETS);
  readonly #nodes = new FlatNodes();
  /** Buckets whose hashes do not tell of their entries yet, each once, and a mark a bucket. */
  #stale: number[] = [];
  readonly #isStale = new Uint8Array(STATE_BUCKETS);
  #entryCount = 0;
  #sizeBytes = 0;
  #generation = 0;

  /** Entries held. */
  get entryCount(): number {
    return this.#entryCount;
  }

  /** Grows whenever entries change, so that what was computed on the tree before can tell. */
  get generation(): number {
    return this.#generation;
  }

  /** Bytes of all packed entries. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Whether entries changed that the hashes do not tell of yet. */
  get isStale(): boolean {
    return this.#stale.length > 0;
  }

  /** A bucket's entries, or undefined when it has none. */
  findBucket(bucket: number): PackedBucket | undefined {
    return this.#buckets[bucket];
  }

  /** Copies a node's hash to a place in another array. */
  copyNode(node: number, into: Uint8Array, at: number): void {
    assert(this.#stale.length === 0, "hashes are read from a tree that is rehashed");
    this.#nodes.copyNode(node, into, at);
  }

  /** A node's hash by its number: 1 is the root. */
  nodeHash(node: number): Uint8Array {
    this.rehash();
    return this.#nodes.get(node);
  }

  /** The state root, 32 bytes. */
  root(): Uint8Array {
    return this.nodeHash(1);
  }

  /** Replaces a bucket; its hash is computed by the next `rehash`. */
  replaceBucket(bucket: number, entries: PackedBucket | undefined): void {
    this.#put(bucket, entries);
    this.#generation += 1;
    if (this.#isStale[bucket] === 1) return;
    this.#isStale[bucket] = 1;
    this.#stale.push(bucket);
  }

  /** Hashes what is stale; each changed bucket and each node above it once. */
  rehash(): void {
    if (this.#stale.length === 0) return;
    const buckets = Uint32Array.from(this.#stale).sort();
    const hashes = new Uint8Array(32 * buckets.length);
    for (const [i, bucket] of buckets.entries()) {
      hashes.set(bucketHash(this.#buckets[bucket]), 32 * i);
      this.#isStale[bucket] = 0;
    }
    new SparseNodes(buckets.map(leafNode), hashes, this.#nodes).moveInto(this.#nodes);
    this.#stale = [];
  }

  /** Takes over what a block that stands directly on this tree changed; its hashes are there already. */
  takeOver(buckets: ReadonlyMap<number, PackedBucket | undefined>, nodes: SparseNodes): void {
    assert(this.#stale.length === 0, "hashed changes are taken over by a tree that is rehashed");
    for (const [bucket, entries] of buckets) this.#put(bucket, entries);
    nodes.moveInto(this.#nodes);
    this.#generation += 1;
  }

  /** All buckets as they are now. Later changes replace buckets in the tree, not in what this gave. */
  snapshot(): readonly (PackedBucket | undefined)[] {
    return this.#buckets.slice();
  }

  /** Every entry, in the order of buckets and of keys in them. */
  *entries(): Generator<StateEntry, void, undefined> {
    for (const bucket of this.#buckets) {
      for (let index = 0; bucket !== undefined && index < countOf(bucket); index++) {
        const entry = decodeEntry(keyAt(bucket, index), valueAt(bucket, index));
        assert(entry.ok, "what the state holds was encoded by it or checked against a state root");
        yield entry.value;
      }
    }
  }

  #put(bucket: number, entries: PackedBucket | undefined): void {
    const before = this.#buckets[bucket];
    this.#entryCount += (entries === undefined ? 0 : countOf(entries)) - (before === undefined ? 0 : countOf(before));
    this.#sizeBytes += (entries?.length ?? 0) - (before?.length ?? 0);
    this.#buckets[bucket] = entries;
  }
}

/** The tree of these entries, hashed. Faster than applying them as changes: each bucket is packed once. */
export function buildTree(entries: readonly EntryChange[]): StateTree {
  const tree = new StateTree();
  for (const [bucket, group] of groupByBucket(entries)) tree.replaceBucket(bucket, mergeBucket(undefined, group));
  tree.rehash();
  return tree;
}
