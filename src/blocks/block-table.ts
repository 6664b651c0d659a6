import { assert, bytesEqual, toHex } from "../kernel/index.ts";
import type { BlockHeader } from "../protocol/index.ts";
import type { ChainReader, EpochStart } from "./chain-reader.ts";
import { type LiveBlock, LiveBlocks } from "./live-blocks.ts";
import type { StateOverlay, StatePort } from "./ports.ts";

/** A block that another can stand on: the tip, or an executed one above it. */
export type ParentBlock<O extends StateOverlay> = {
  readonly hash: Uint8Array;
  readonly height: number;
  /** The epoch that a block on it belongs to. */
  readonly epoch: EpochStart;
  /** The round that it was proposed in. */
  readonly parentRound: Pick<BlockHeader, "epoch" | "view">;
  /** The state after it; absent for the tip, whose state is the finalized one. */
  readonly overlay: O | undefined;
};

/** The committed tip as blocks keep it. */
export type TipBlock = Pick<BlockHeader, "height" | "timeMs" | "epoch" | "view"> & { readonly hash: Uint8Array };

/**
 * The tip and the executed blocks above it, with the epoch that each place belongs to.
 *
 * Invariant: every live block stands on another live block or on the tip.
 */
export class BlockTable<O extends StateOverlay> {
  readonly live: LiveBlocks<O>;
  readonly #state: StatePort<O>;
  #tip: TipBlock;
  #epoch: EpochStart;

  constructor(reader: ChainReader, tip: TipBlock, state: StatePort<O>, liveMax: number) {
    this.live = new LiveBlocks(liveMax);
    this.#state = state;
    this.#tip = tip;
    this.#epoch = reader.currentEpoch();
  }

  /** The last committed block. */
  get tip(): TipBlock {
    return this.#tip;
  }

  /** The tip or a live block by hash, as a parent. */
  findParent(hash: Uint8Array): ParentBlock<O> | undefined {
    if (bytesEqual(hash, this.#tip.hash)) {
      return { hash, height: this.#tip.height, epoch: this.#epoch, parentRound: this.#tip, overlay: undefined };
    }
    const live = this.live.find(hash);
    const header = live?.block.header;
    return live && header && { hash, height: header.height, epoch: epochAbove(live), parentRound: header, overlay: live.overlay };
  }

  /** Digests, in hexadecimal, of the batches in live blocks from this one down. */
  digestsAbove(hash: Uint8Array): ReadonlySet<string> {
    const digests = new Set<string>();
    for (const { block } of this.live.ancestry(hash)) for (const digest of block.batchDigests) digests.add(toHex(digest));
    return digests;
  }

  /** Moves the tip to a live block that was committed, folds its state and lets its siblings go. */
  advance(committed: LiveBlock<O>): void {
    const { header } = committed.block;
    assert(bytesEqual(header.parentHash, this.#tip.hash) && header.height === this.#tip.height + 1, "the tip moves to a child of the tip");
    this.#state.fold(committed.overlay, header.height);
    assert(bytesEqual(this.#state.root, header.stateRoot), "the finalized state is the one that the block commits to");
    const { height, timeMs, epoch, view } = header;
    this.#tip = { height, hash: committed.hash, timeMs, epoch, view };
    this.#epoch = epochAbove(committed);
    this.live.settle(committed);
  }
}

function epochAbove<O extends StateOverlay>({ block: { header }, epoch, execution: { nextValidatorSet } }: LiveBlock<O>): EpochStart {
  if (!nextValidatorSet) return epoch;
  return { epoch: epoch.epoch + 1, height: header.height, timeMs: header.timeMs, validatorSet: nextValidatorSet };
}
