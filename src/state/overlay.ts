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

/**
 * The state after one unfinalized block: the buckets and hashes it changed, over the layer below, which it leaves as it
 * is. Buckets are held whole, so a read finds its bucket in the topmost layer that changed it.
 */
export class Overlay implements StateLayer {
  /** Changed buckets; undefined for one that became empty. */
  readonly buckets: ReadonlyMap<number, PackedBucket | undefined>;
  readonly nodes: SparseNodes;
  /** State root after the block, 32 bytes. */
  readonly root: Uint8Array;
  /** Entries that the block changed. */
  readonly changedEntries: number;
  #below: Overlay | StateTree;

  /** Computes the state after a block without touching the layer below. */
  constructor(below: Overlay | StateTree, changes: ChangesByBucket) {
    const buckets = new Map<number, PackedBucket | undefined>();
    this.#below = below;
    this.nodes = new SparseNodes(changes.size);
    let changedEntries = 0;
    const changed = [...changes.keys()].sort((a, b) => a - b);
    for (const bucket of changed) {
      const group = changes.get(bucket) ?? [];
      const entries = mergeBucket(below.findBucket(bucket), group);
      buckets.set(bucket, entries);
      this.nodes.add(leafNode(bucket), bucketHash(entries));
      changedEntries += group.length;
    }
    this.nodes.addAbove(changed.map(leafNode), below);
    this.buckets = buckets;
    this.changedEntries = changedEntries;
    this.root = new Uint8Array(32);
    this.copyNode(1, this.root, 0);
  }

  /** The layer this one stands on. */
  get below(): Overlay | StateTree {
    return this.#below;
  }

  /** Overlays from here down to the tree, this one included. */
  get depth(): number {
    let depth = 1;
    for (let layer = this.#below; layer instanceof Overlay; layer = layer.#below) depth += 1;
    return depth;
  }

  findBucket(bucket: number): PackedBucket | undefined {
    let layer: Overlay | StateTree = this;
    while (layer instanceof Overlay) {
      const entries = layer.buckets.get(bucket);
      if (entries !== undefined || layer.buckets.has(bucket)) return entries;
      layer = layer.#below;
    }
    return layer.findBucket(bucket);
  }

  copyNode(node: number, into: Uint8Array, at: number): void {
    let layer: Overlay | StateTree = this;
    while (layer instanceof Overlay) {
      if (layer.nodes.copy(node, into, at)) return;
      layer = layer.#below;
    }
    layer.copyNode(node, into, at);
  }

  /** Stands directly on the tree from now on, since the overlay that was between has been folded into it. */
  settleOn(tree: StateTree): void {
    assert(this.#below instanceof Overlay && this.#below.#below === tree, "an overlay settles when the one below it is folded");
    this.#below = tree;
  }
}
