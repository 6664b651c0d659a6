import { assert } from "../kernel/index.ts";
import type { ChangesByBucket } from "./changes.ts";
import { bucketHash } from "./hasher.ts";
import { leafNode, type NodeSource, SparseNodes } from "./nodes.ts";
import { mergeBucket, type PackedBucket } from "./packed-bucket.ts";
import type { StateTree } from "./tree.ts";

/** Where entries and hashes are read: the finalized tree, or an unfinalized block over what is below it. */
export interface StateLayer extends NodeSource {
  /** A bucket's entries, or undefined when it has none. */
  findBucket(bucket: number): PackedBucket | undefined;
}

const NO_BUCKETS: ReadonlyMap<number, PackedBucket | undefined> = new Map();
const NO_NODES = new SparseNodes(new Uint32Array(0), new Uint8Array(0), { copyNode() {} });

/**
 * The state after one unfinalized block: the buckets and hashes it changed, over the layer below, which it leaves as it
 * is. Buckets are held whole, so a read finds its bucket in the topmost layer that changed it.
 */
export class Overlay implements StateLayer {
  /** State root after the block, 32 bytes. */
  readonly root: Uint8Array;
  /** Entries that the block changed. */
  readonly changedEntries: number;
  #below: Overlay | StateTree;
  /** Generation of the tree that this stands on; means something where it does so directly. */
  #basis: number;
  /** Changed buckets; undefined for one that became empty. */
  #buckets: ReadonlyMap<number, PackedBucket | undefined>;
  #nodes: SparseNodes;
  #isFolded = false;

  /** Computes the state after a block without touching the layer below. */
  constructor(below: Overlay | StateTree, changes: ChangesByBucket) {
    const buckets = new Map<number, PackedBucket | undefined>();
    const changed = Uint32Array.from(changes.keys()).sort();
    const hashes = new Uint8Array(32 * changed.length);
    let changedEntries = 0;
    for (let i = 0; i < changed.length; i++) {
      const bucket = changed[i] as number;
      const group = changes.get(bucket) ?? [];
      const entries = mergeBucket(below.findBucket(bucket), group);
      buckets.set(bucket, entries);
      hashes.set(bucketHash(entries), 32 * i);
      changedEntries += group.length;
    }
    this.#below = below;
    this.#basis = below instanceof Overlay ? 0 : below.generation;
    this.#buckets = buckets;
    this.#nodes = new SparseNodes(changed.map(leafNode), hashes, below);
    this.changedEntries = changedEntries;
    this.root = new Uint8Array(32);
    this.copyNode(1, this.root, 0);
  }

  /** Overlays from here down to the tree, this one included. */
  get depth(): number {
    let depth = 1;
    for (let layer = this.#below; layer instanceof Overlay; layer = layer.#below) depth += 1;
    return depth;
  }

  /**
   * Whether it still tells the truth: since it was made, the tree has taken over nothing but overlays that this one
   * stands on.
   */
  get isCurrent(): boolean {
    let lowest: Overlay = this;
    let layer = this.#below;
    for (; layer instanceof Overlay; layer = layer.#below) lowest = layer;
    return lowest.#basis === layer.generation;
  }

  findBucket(bucket: number): PackedBucket | undefined {
    let layer: Overlay | StateTree = this;
    while (layer instanceof Overlay) {
      const entries = layer.#buckets.get(bucket);
      if (entries !== undefined || layer.#buckets.has(bucket)) return entries;
      layer = layer.#below;
    }
    return layer.findBucket(bucket);
  }

  copyNode(node: number, into: Uint8Array, at: number): void {
    let layer: Overlay | StateTree = this;
    while (layer instanceof Overlay) {
      if (layer.#nodes.copy(node, into, at)) return;
      layer = layer.#below;
    }
    layer.copyNode(node, into, at);
  }

  /**
   * Hands what the block changed to the tree, on which it must stand directly, and lets it be read there from now on:
   * overlays on this one stay current, its siblings do not. Gives the changed buckets.
   */
  foldInto(tree: StateTree): readonly number[] {
    const isLowest = this.#below === tree || (this.#below instanceof Overlay && this.#below.#isFolded);
    assert(isLowest && !this.#isFolded && this.isCurrent, "overlays are folded once, in the order of their blocks");
    const changed = [...this.#buckets.keys()];
    tree.takeOver(this.#buckets, this.#nodes);
    this.#buckets = NO_BUCKETS;
    this.#nodes = NO_NODES;
    this.#below = tree;
    this.#basis = tree.generation;
    this.#isFolded = true;
    assert(this.isCurrent, "what was folded reads as the tree does");
    return changed;
  }
}
