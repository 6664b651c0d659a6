import type { Block, Certificate, ValidatorSet } from "../protocol/index.ts";

/** What a leader asks for (R2). The parent was built, checked or committed here before, or is genesis. */
export type BuildRequest = {
  readonly epoch: number;
  readonly view: number;
  /** Index of the proposer in the epoch's set. */
  readonly leader: number;
  readonly parentHash: Uint8Array;
  /** Certificate of the parent; absent exactly when the parent is genesis. */
  readonly parentCertificate?: Certificate;
  /** Header time, above the parent's (R16). */
  readonly timeMs: number;
  /** Whether to leave batches out: above 8 unfinalized blocks leaders propose empty ones. */
  readonly isEmpty: boolean;
  /** The epoch's set; its hash goes into the header and its owners receive fees. */
  readonly validatorSet: ValidatorSet;
  /** Encoded evidence to include, each checked by consensus; what convicts nobody anew on the parent is left out. */
  readonly evidence: readonly Uint8Array[];
};

/** A block with its identity, executed on an overlay. */
export type BuiltBlock = { readonly block: Block; readonly hash: Uint8Array };

/**
 * R3's judgement of the parts that blocks own: batches local and fsynced, roots, execution, sizes, evidence, next set.
 * `missing` names batch digests to fetch, or the parent when it is not known here; `invalid` is permanent; `noRoom` passes
 * once a block is committed or discarded.
 */
export type BlockVerdict =
  | { readonly kind: "valid"; readonly hash: Uint8Array }
  | { readonly kind: "invalid"; readonly code: string }
  | { readonly kind: "missingBatches"; readonly digests: readonly Uint8Array[] }
  | { readonly kind: "missingParent"; readonly hash: Uint8Array }
  | { readonly kind: "noRoom" };

/** A block with the certificate that made it final (its own finalization, or a later descendant's for ancestors). */
export type FinalizedBlock = {
  readonly block: Block;
  readonly hash: Uint8Array;
  /** Finalization of this block or of the descendant that finalized it. */
  readonly finalization: Certificate;
};

/** A final block with what executing it will cost whoever asks for it. */
export type ServedBlock = FinalizedBlock & {
  /** Transactions in its batches, those that it skipped included. */
  readonly transactionCount: number;
};

/** The last committed block as consensus needs it at start: (height, epoch, view) are stored in the commit itself (J5). */
export type ChainTip = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  readonly timeMs: number;
  /** Finalization of the tip; absent exactly at genesis. */
  readonly finalization?: Certificate;
};

/** How an epoch began: its set, and the finalization of the boundary block that closed the epoch before (absent for epoch 0). */
export type EpochOpening = { readonly epoch: number; readonly validatorSet: ValidatorSet; readonly finalization?: Certificate };

/**
 * Blocks as consensus sees them: built, judged and committed by floor 4, executed on overlays keyed by block hash.
 * All calls are synchronous and total; an environment failure (a failed durable write) throws and stops the process.
 */
export interface BlockPort {
  /** The last committed block. */
  tip(): ChainTip;
  /** How an epoch began, once genesis or the boundary block that opens it is committed here; kept through the unbonding time (R11, R12). */
  findEpoch(epoch: number): EpochOpening | undefined;
  /** A committed block by height with the finalization it was committed under; undefined when beyond the tip, genesis or pruned (R13). */
  findFinalized(height: number): ServedBlock | undefined;
  /**
   * Whether evidence could convict somebody anew on the last committed block: a validator that is not convicted for that
   * epoch, which is not longer ago than the unbonding time (R11). What it proves is not looked at, so this is cheap.
   */
  canConvict(evidence: Uint8Array): boolean;
  /** Whether a batch is held that a block on the current tip could include (R1 "work"). */
  hasWork(): boolean;
  /** Builds and executes a block on its parent (R2). */
  build(request: BuildRequest): BuiltBlock;
  /** Judges and executes a block of another or of an earlier run (R3). Leader, view and time rules are consensus's. */
  check(block: Block, validatorSet: ValidatorSet): BlockVerdict;
  /** A block held on an overlay or committed, by hash. */
  find(hash: Uint8Array): Block | undefined;
  /** Commits final blocks in height order, each in one durable commit with its events and the floor (R8, J5); drops sibling overlays. */
  commit(blocks: readonly FinalizedBlock[]): void;
  /** Drops overlays that can no longer become final: below the floor or on a nullified branch. */
  discard(hash: Uint8Array): void;
}
