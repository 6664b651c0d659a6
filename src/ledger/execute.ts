import { assert } from "../kernel/index.ts";
import type { Receipt, ReceiptCode, Transaction } from "../protocol/index.ts";
import { applyBody } from "./apply-body.ts";
import { chargeFee, validityWindowOf } from "./charge.ts";
import type { ExecutionContext, SkippedTransaction } from "./context.ts";
import { type Effect, effectsDigestOf } from "./effects.ts";
import { settleFees } from "./fees.ts";
import { parametersOf } from "./parameters.ts";
import type { EntryChange, LedgerView } from "./view.ts";
import { WorkingSet } from "./working-set.ts";

/** What a block did. `receipts`, `executed` and `effects` run in parallel; a position in them is the receipt's index. */
export type BlockExecution = {
  readonly receipts: readonly Receipt[];
  readonly executed: readonly Transaction[];
  readonly effects: readonly (readonly Effect[])[];
  /** In block order. */
  readonly skipped: readonly SkippedTransaction[];
  /** Sum of the fees that executed transactions paid; already burned or shared. */
  readonly feesPaid: bigint;
  /** What is different after the block, in no agreed order. */
  readonly changes: readonly EntryChange[];
};

/**
 * Executes a block's transactions in order on a view. Pure, and total: any decoded transactions give a result, so no
 * transaction can take its batch hostage. The caller has verified signatures and bounds; execution does not.
 *
 * A transaction is skipped, without receipt or trace, when it is expired or valid for too long, pays below the minimum
 * fee, has an unknown sender or another nonce than the next (so a repeat is skipped too), exceeds its device's quota, or
 * has a fee that the payer's balance does not cover. Otherwise it pays its fee, uses up its nonce and gets a receipt,
 * also when what it asks for fails.
 *
 * @see ledger: Batch, Block execution
 */
export function executeBlock(view: LedgerView, place: ExecutionContext, transactions: readonly Transaction[]): BlockExecution {
  assert(Number.isSafeInteger(place.height) && place.height >= 1, "a block that executes stands above genesis");
  const context = { ...place, parameters: parametersOf(view, place.parameters) };
  const working = new WorkingSet(view);
  const receipts: Receipt[] = [];
  const executed: Transaction[] = [];
  const effects: (readonly Effect[])[] = [];
  const skipped: SkippedTransaction[] = [];
  const window = validityWindowOf(context);
  let feesPaid = 0n;
  for (const transaction of transactions) {
    const charge = chargeFee(working, context, window, transaction);
    if (typeof charge === "string") {
      skipped.push({ transaction, reason: charge });
      continue;
    }
    const done: Effect[] = [{ kind: "feePaid", payer: charge.publicKey, amount: transaction.fee }];
    const code = applyBody(working, context, transaction, done);
    receipts.push(receiptOf(context, transaction, receipts.length, code, done));
    executed.push(transaction);
    effects.push(done);
    feesPaid += transaction.fee;
  }
  settleFees(working, context, feesPaid);
  assert(receipts.length + skipped.length === transactions.length, "every transaction of a block is executed or skipped");
  return { receipts, executed, effects, skipped, feesPaid, changes: working.changes() };
}

function receiptOf(
  context: ExecutionContext,
  transaction: Transaction,
  index: number,
  code: ReceiptCode,
  effects: readonly Effect[],
): Receipt {
  const effectsDigest = effectsDigestOf(effects);
  return { transactionId: transaction.id, height: context.height, index, code, fee: transaction.fee, effectsDigest };
}
