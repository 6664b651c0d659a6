import type { ConvictedEffect, EntryChange, LedgerView } from "../ledger/index.ts";
import type { Block, SnapshotManifest, ValidatorSet } from "../protocol/index.ts";
import type { LanePlace } from "./types.ts";

/** The state after an unfinalized block, over the state below it. */
export interface StateOverlay {
  /** State root after the block, 32 bytes. */
  readonly root: Uint8Array;
}

/**
 * The state as blocks drive it: one finalized state, and overlays on it. Synchronous; a cache of the chain, so losing it
 * costs a re-execution and nothing else.
 */
export interface StatePort<O extends StateOverlay = StateOverlay> {
  /** Height that the finalized state is after; at start that of the checkpoint it was loaded from. */
  readonly height: number;
  /** Root of the finalized state. */
  readonly root: Uint8Array;
  /** What the ledger reads on an overlay, or on the finalized state when none is given. */
  viewOn(overlay: O | undefined): LedgerView;
  /** The state after a block's changes, over an overlay or the finalized state, which stay as they are. */
  stack(below: O | undefined, changes: readonly EntryChange[]): O;
  /** Makes an overlay that stands on the finalized state the finalized one; overlays on it stay usable, others do not. */
  fold(overlay: O, height: number): void;
}

/** A record of the chain lane as it was sealed. */
export type SealedRecord = { readonly epoch: number; readonly sequence: number; readonly body: Uint8Array; readonly hash: Uint8Array };

/** What the chain lane says of a committed block. */
type CommittedFacts = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  readonly timeMs: number;
  readonly executed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly fees: bigint;
  readonly convictions: readonly ConvictedEffect[];
  /** The set of the block's epoch, and the one that follows it when the block is the last. */
  readonly validatorSet: ValidatorSet;
  readonly nextValidatorSet: ValidatorSet | undefined;
};

/**
 * The chain lane of the event log. Its records are sealed before the commit, stored in the row of their block, and told
 * to the lane once they are durable: the lane is never ahead of the chain and never behind it.
 */
export interface ChainLane<R extends SealedRecord = SealedRecord> {
  /** Records of genesis: the first of the lane. At least one. */
  sealGenesis(timeMs: number, validatorSet: ValidatorSet): readonly R[];
  /** Records of a block, following this place. At least one, all of one incarnation. */
  sealBlock(after: LanePlace, facts: CommittedFacts): readonly R[];
  /** The records that were just made durable, in order. */
  onCommitted(records: readonly R[]): void;
}

/** What a chain without rows begins at instead of genesis: a snapshot whose anchor was verified. */
export type ChainBase<R extends SealedRecord = SealedRecord> = {
  readonly manifest: SnapshotManifest;
  /** Root of the state of genesis; the state that blocks are given is that of the snapshot. */
  readonly genesisStateRoot: Uint8Array;
  /** Records that say so, following those of genesis: of the epoch that goes on, begun at a height. At least one, of one incarnation. */
  seal(after: LanePlace, timeMs: number, epoch: number, height: number, validatorSet: ValidatorSet): readonly R[];
};

/** Who is told of blocks that are not final yet. What it throws is a defect: it only takes note. */
export interface BlockObserver {
  /** This node built a block as leader. */
  onBuilt(block: Block, hash: Uint8Array): void;
  /** A block was judged: `valid`, or the code of its fault. Not told while batches or the parent are missing. */
  onJudged(block: Block, verdict: string): void;
}
