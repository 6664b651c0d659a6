import { assert } from "../kernel/index.ts";
import { type ExecutionContext, executeBlock } from "../ledger/index.ts";
import { type GenesisParameters, receiptRootOf, type Transaction, type ValidatorSet, type VerifySignature } from "../protocol/index.ts";
import type { HeldBatch } from "./batch-source.ts";
import type { LiveBlock } from "./live-blocks.ts";
import type { StateOverlay, StatePort } from "./ports.ts";

/** Everything of a header that execution depends on. */
export type ExecutionPlace = {
  readonly height: number;
  readonly epoch: number;
  readonly timeMs: number;
  readonly leader: number;
  readonly validatorSet: ValidatorSet;
};

/** An executed list of batches: the state after it and the roots that a header commits to. */
export type Executed<O extends StateOverlay> = Pick<LiveBlock<O>, "batches" | "transactions" | "execution" | "overlay"> & {
  readonly stateRoot: Uint8Array;
  readonly receiptRoot: Uint8Array;
};

/** Runs the ledger over a block's batches on a state of this chain. */
export class BlockExecutor<O extends StateOverlay> {
  readonly #state: StatePort<O>;
  readonly #constants: Pick<ExecutionContext, "chainId" | "parameters" | "verifySignature">;

  constructor(state: StatePort<O>, chainId: Uint8Array, parameters: GenesisParameters, verifySignature: VerifySignature) {
    this.#state = state;
    this.#constants = { chainId, parameters, verifySignature };
  }

  /** Executes batches in order, transactions in batch order, on an overlay or on the finalized state. */
  execute(below: O | undefined, place: ExecutionPlace, batches: readonly HeldBatch[]): Executed<O> {
    const transactions: Transaction[] = [];
    for (const batch of batches) for (const transaction of batch.transactions) transactions.push(transaction);
    const execution = executeBlock(this.#state.viewOn(below), { ...this.#constants, ...place }, transactions);
    const overlay = this.#state.stack(below, execution.changes);
    assert(overlay.root.length === 32, "a state has a root of 32 bytes");
    return { batches, transactions, execution, overlay, stateRoot: overlay.root, receiptRoot: receiptRootOf(execution.receipts) };
  }
}
