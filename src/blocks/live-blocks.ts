import { assert, bytesEqual, toHex } from "../kernel/index.ts";
import type { BlockExecution } from "../ledger/index.ts";
import type { Block, Transaction } from "../protocol/index.ts";
import type { HeldBatch } from "./batch-source.ts";
import type { EpochStart } from "./chain-reader.ts";
import type { StateOverlay } from "./ports.ts";

/** An executed block that is not committed. */
export type LiveBlock<O extends StateOverlay = StateOverlay> = {
  readonly block: Block;
  readonly hash: Uint8Array;
  readonly batches: readonly HeldBatch[];
  /** All transactions of its batches, in order. */
  readonly transactions: readonly Transaction[];
  readonly execution: BlockExecution;
  readonly overlay: O;
  /** The epoch it belongs to. */
  readonly epoch: EpochStart;
};

/**
 * Executed blocks above the tip, by hash, each on its parent's state. Bounded: a block more is refused when none can be
 * let go, and only blocks that nothing stands on are let go, the lowest first.
 */
export class LiveBlocks<O extends StateOverlay = StateOverlay> {
  readonly #byHash = new Map<string, LiveBlock<O>>();
  readonly #countMax: number;

  constructor(countMax: number) {
    assert(countMax > 0, "at least one block can be held");
    this.#countMax = countMax;
  }

  /** Blocks held. */
  get size(): number {
    return this.#byHash.size;
  }

  /** The block with this hash. */
  find(hash: Uint8Array): LiveBlock<O> | undefined {
    return this.#byHash.get(toHex(hash));
  }

  /** Makes room for one more on this parent; false when every block held carries another or is the parent. */
  makeRoomOn(parentHash: Uint8Array): boolean {
    if (this.#byHash.size < this.#countMax) return true;
    const carrying = new Set([...this.#byHash.values()].map(({ block }) => toHex(block.header.parentHash)));
    carrying.add(toHex(parentHash));
    let lowest: LiveBlock<O> | undefined;
    for (const [name, live] of this.#byHash) {
      if (!carrying.has(name) && (!lowest || live.block.header.height < lowest.block.header.height)) lowest = live;
    }
    if (!lowest) return false;
    this.#byHash.delete(toHex(lowest.hash));
    return true;
  }

  /** Holds a block. Going over the bound is the caller's decision (a leader's own block). */
  add(live: LiveBlock<O>): void {
    this.#byHash.set(toHex(live.hash), live);
  }

  /** The blocks from this one down to the tip, this one first. */
  *ancestry(hash: Uint8Array): Generator<LiveBlock<O>, void, undefined> {
    for (let live = this.find(hash); live; live = this.find(live.block.header.parentHash)) yield live;
  }

  /** Lets go of a block and of everything that stands on it. */
  drop(hash: Uint8Array): void {
    const gone = [hash];
    for (let next = gone.pop(); next; next = gone.pop()) {
      this.#byHash.delete(toHex(next));
      for (const { hash: child, block } of this.#byHash.values()) if (bytesEqual(block.header.parentHash, next)) gone.push(child);
    }
  }

  /** Takes out a block that was committed, and lets go of its siblings with all that stands on them. */
  settle(committed: LiveBlock<O>): void {
    this.#byHash.delete(toHex(committed.hash));
    const { height } = committed.block.header;
    const losers = [...this.#byHash.values()].filter(({ block }) => block.header.height <= height);
    for (const { hash } of losers) this.drop(hash);
  }
}
