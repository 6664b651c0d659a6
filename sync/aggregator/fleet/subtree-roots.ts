import { leafHash, nodeHash } from "../../../src/crypto/index.ts";
import { assert, present, type Timers } from "../../../src/kernel/index.ts";
import type { SyncLane } from "../../protocol/index.ts";
import type { AggregatorStore, NodeRef } from "../types.ts";
import type { Subtree } from "./merkle-range.ts";

/** Leaves that are read at a time; roots of subtrees from this size on are kept. */
const TILE = 512;
/** Roots that are kept: 40 bytes and their names each. */
const KEPT_MAX = 50_000;

/** A lane's tree. */
export type TreeRef = NodeRef & { readonly lane: SyncLane; readonly epoch: number };

/**
 * Roots of whole subtrees over stored records. Such a root never changes, so large ones are kept: the first question about
 * a long lane reads all of it, later ones what is new.
 */
export class SubtreeRoots {
  readonly #store: Pick<AggregatorStore, "readEvents">;
  readonly #timers: Timers;
  readonly #kept = new Map<string, Uint8Array>();

  constructor(store: Pick<AggregatorStore, "readEvents">, timers: Timers) {
    this.#store = store;
    this.#timers = timers;
  }

  /** The root of a subtree; undefined when records of it are not held. */
  async root(tree: TreeRef, { start, size }: Subtree): Promise<Uint8Array | undefined> {
    const key = `${tree.network}/${tree.node}/${tree.lane}/${tree.epoch}/${start}/${size}`;
    const kept = this.#kept.get(key);
    if (kept) return kept;
    if (size <= TILE) {
      const root = await this.#readRoot(tree, { start, size });
      if (root && size === TILE) this.#keep(key, root);
      return root;
    }
    const half = size / 2;
    const left = await this.root(tree, { start, size: half });
    const right = left && (await this.root(tree, { start: start + half, size: half }));
    if (!left || !right) return undefined;
    const root = nodeHash(left, right);
    this.#keep(key, root);
    return root;
  }

  async #readRoot(tree: TreeRef, { start, size }: Subtree): Promise<Uint8Array | undefined> {
    await new Promise<void>((resolve) => void this.#timers.after(0, resolve)); // others have a turn between tiles
    const records = await this.#store.readEvents(tree, tree.lane, { epoch: tree.epoch, sequence: start }, size);
    const isWhole =
      records.length === size && records.every(({ epoch, sequence }, i) => epoch === tree.epoch && sequence === start + i + 1);
    if (!isWhole) return undefined;
    let level = records.map(({ hash }) => leafHash(hash));
    while (level.length > 1) {
      assert(level.length % 2 === 0, "a whole subtree has an even number of nodes on each level but the last");
      level = Array.from({ length: level.length / 2 }, (_, i) =>
        nodeHash(present(level[2 * i], "a left node"), present(level[2 * i + 1], "a right node")),
      );
    }
    return present(level[0], "a subtree has a root");
  }

  #keep(key: string, root: Uint8Array): void {
    const [oldest] = this.#kept.size >= KEPT_MAX ? this.#kept.keys() : [];
    if (oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(key, root);
  }
}
