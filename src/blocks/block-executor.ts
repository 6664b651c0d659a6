import { assert } from "../kernel/index.ts";
import {
  accusationOf,
  blockVersionOf,
  type EpochFacts,
  type EvidenceTerms,
  type ExecutionContext,
  executeBlock,
  judgeEvidence,
  parametersOf,
} from "../ledger/index.ts";
import {
  type Block,
  type BlockHeader,
  type GenesisParameters,
  receiptRootOf,
  type Transaction,
  type VerifySignature,
} from "../protocol/index.ts";
import type { HeldBatch } from "./batch-source.ts";
import type { ChainReader, EpochStart } from "./chain-reader.ts";
import type { LiveBlock } from "./live-blocks.ts";
import type { StateOverlay, StatePort } from "./ports.ts";

/** Where a block stands: the epoch it belongs to, and the round that its parent was proposed in. */
export type BlockPlacement = { readonly epoch: EpochStart; readonly parentRound: Pick<BlockHeader, "epoch" | "view"> };

/** The parts of a block besides its batches that execution depends on. */
export type ExecutedParts = Pick<Block, "evidence"> & {
  readonly header: Pick<BlockHeader, "height" | "view" | "timeMs" | "leader" | "parentBitmap">;
};

/** An executed list of batches: the state after it and the roots that a header commits to. */
export type Executed<O extends StateOverlay> = Pick<LiveBlock<O>, "batches" | "transactions" | "execution" | "overlay"> & {
  readonly stateRoot: Uint8Array;
  readonly receiptRoot: Uint8Array;
};

/** Runs the ledger over blocks on a state of this chain. */
export class BlockExecutor<O extends StateOverlay> {
  readonly #state: StatePort<O>;
  readonly #reader: Pick<ChainReader, "findEpoch">;
  readonly #constants: Pick<ExecutionContext, "chainId" | "parameters" | "verifySignature">;

  constructor(
    state: StatePort<O>,
    reader: Pick<ChainReader, "findEpoch">,
    chainId: Uint8Array,
    parameters: GenesisParameters,
    verifySignature: VerifySignature,
  ) {
    this.#state = state;
    this.#reader = reader;
    this.#constants = { chainId, parameters, verifySignature };
  }

  /** The parameters in force for a block on an overlay or on the finalized state. */
  parametersOn(below: O | undefined): GenesisParameters {
    return parametersOf(this.#state.viewOn(below), this.#constants.parameters);
  }

  /** Version of a block on an overlay or on the finalized state. */
  blockVersionOn(below: O | undefined): number {
    return blockVersionOf(this.#state.viewOn(below));
  }

  /** Executes a block, its batches in order and transactions in batch order, on an overlay or on the finalized state. */
  execute(below: O | undefined, block: ExecutedParts, placement: BlockPlacement, batches: readonly HeldBatch[]): Executed<O> {
    const transactions: Transaction[] = [];
    for (const batch of batches) for (const transaction of batch.transactions) transactions.push(transaction);
    const execution = executeBlock(this.#state.viewOn(below), this.#contextOf(block, placement), transactions);
    const overlay = this.#state.stack(below, execution.changes);
    assert(overlay.root.length === 32, "a state has a root of 32 bytes");
    return { batches, transactions, execution, overlay, stateRoot: overlay.root, receiptRoot: receiptRootOf(execution.receipts) };
  }

  /** Encoded evidence without what convicts nobody anew when a block carries it at this place. */
  selectEvidence(below: O | undefined, block: ExecutedParts, placement: BlockPlacement): readonly Uint8Array[] {
    if (block.evidence.length === 0) return block.evidence;
    const { refusedEvidence } = executeBlock(this.#state.viewOn(below), this.#contextOf(block, placement), []);
    const refused = new Set(refusedEvidence.map(({ index }) => index));
    return block.evidence.filter((_, index) => !refused.has(index));
  }

  /** Whether evidence could convict somebody anew on the finalized state, at the time of its block. */
  canConvict(encoded: Uint8Array, placement: BlockPlacement, timeMs: number): boolean {
    return accusationOf(this.#state.viewOn(undefined), this.#evidenceTerms(placement, timeMs), encoded).ok;
  }

  /** Whether evidence does convict somebody anew there. */
  isConvicting(encoded: Uint8Array, placement: BlockPlacement, timeMs: number): boolean {
    return judgeEvidence(this.#state.viewOn(undefined), this.#evidenceTerms(placement, timeMs), encoded).ok;
  }

  #evidenceTerms(placement: BlockPlacement, timeMs: number): EvidenceTerms {
    const parameters = this.parametersOn(undefined);
    const findEpoch = (asked: number): EpochFacts | undefined => this.#findEpoch(placement, asked);
    return { ...this.#constants, parameters, epoch: placement.epoch.epoch, timeMs, findEpoch };
  }

  #contextOf({ header, evidence }: ExecutedParts, placement: BlockPlacement): ExecutionContext {
    const { epoch, height, timeMs, validatorSet } = placement.epoch;
    return {
      ...this.#constants,
      height: header.height,
      timeMs: header.timeMs,
      epoch,
      epochStart: { height, timeMs },
      view: header.view,
      parentView: parentViewOf(placement),
      parentBitmap: header.parentBitmap,
      leader: header.leader,
      validatorSet,
      evidence,
      findEpoch: (asked) => this.#findEpoch(placement, asked),
    };
  }

  /** The epoch of the block itself may have been opened by one that is not committed yet. */
  #findEpoch({ epoch }: BlockPlacement, asked: number): EpochFacts | undefined {
    if (asked > epoch.epoch) return undefined;
    return asked === epoch.epoch ? epoch : this.#reader.findEpoch(asked);
  }
}

/** View of the parent in the epoch of the block on it; 0 when the parent is the block that the epoch stands on. */
export function parentViewOf({ epoch, parentRound }: BlockPlacement): number {
  return parentRound.epoch === epoch.epoch ? parentRound.view : 0;
}
