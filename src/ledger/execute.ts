import { assert } from "../kernel/index.ts";
import type { GenesisParameters, Receipt, ReceiptCode, Transaction, ValidatorSet } from "../protocol/index.ts";
import { applyBody } from "./apply-body.ts";
import { countBlock } from "./attendance.ts";
import { chargeFee, validityWindowOf } from "./charge.ts";
import type { ExecutionContext, SkippedTransaction } from "./context.ts";
import { type ConvictedEffect, convict, type EvidenceRefusal, judgeEvidence } from "./conviction.ts";
import { type Effect, effectsDigestOf } from "./effects.ts";
import { epochOf } from "./entries.ts";
import { epochEndOf, turnEpoch } from "./epoch-turn.ts";
import { collectFees } from "./fees.ts";
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
  /** Sum of the fees that executed transactions paid; already burned, or in the epoch's pot. */
  readonly feesPaid: bigint;
  /** Validators convicted, by the block's evidence and then by its transactions. */
  readonly convictions: readonly ConvictedEffect[];
  /** Attached evidence that convicts nobody anew, by position: a block that carries some is invalid. */
  readonly refusedEvidence: readonly { readonly index: number; readonly reason: EvidenceRefusal }[];
  /** Set of the next epoch, present exactly when the block is the last of its epoch. */
  readonly nextValidatorSet: ValidatorSet | undefined;
  /** What is different after the block, in no agreed order. */
  readonly changes: readonly EntryChange[];
};

/**
 * Executes a block on a view: its evidence, its transactions in order, what it says of who did their duty, and, when it is
 * the last of its epoch, the turn to the next. Pure, and total: any decoded transactions give a result, so no
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
  const terms = { ...context, isConvicting: (evidence: Uint8Array) => judgeEvidence(working, context, evidence).ok };
  const convictions: ConvictedEffect[] = [];
  const refusedEvidence = applyBlockEvidence(working, context, convictions);
  const receipts: Receipt[] = [];
  const executed: Transaction[] = [];
  const effects: (readonly Effect[])[] = [];
  const skipped: SkippedTransaction[] = [];
  const window = validityWindowOf(context);
  let feesPaid = 0n;
  for (const transaction of transactions) {
    const charge = chargeFee(working, terms, window, transaction);
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
    for (const effect of done) if (effect.kind === "convicted") convictions.push(effect);
  }
  collectFees(working, context, feesPaid);
  const nextValidatorSet = closeBlock(working, context, place.parameters);
  assert(receipts.length + skipped.length === transactions.length, "every transaction of a block is executed or skipped");
  const changes = working.changes();
  return { receipts, executed, effects, skipped, feesPaid, convictions, refusedEvidence, nextValidatorSet, changes };
}

function applyBlockEvidence(
  working: WorkingSet,
  context: ExecutionContext,
  convictions: ConvictedEffect[],
): { readonly index: number; readonly reason: EvidenceRefusal }[] {
  const refused: { readonly index: number; readonly reason: EvidenceRefusal }[] = [];
  for (const [index, evidence] of context.evidence.entries()) {
    const accusation = judgeEvidence(working, context, evidence);
    if (accusation.ok) convictions.push(convict(working, context, accusation.value));
    else refused.push({ index, reason: accusation.error });
  }
  return refused;
}

/** Counts the block, and ends the epoch with it when it is the last. */
function closeBlock(working: WorkingSet, context: ExecutionContext, genesis: GenesisParameters): ValidatorSet | undefined {
  const counted = countBlock(epochOf(working), context.validatorSet, context);
  working.setEpoch(counted);
  const end = epochEndOf(counted, context);
  return end === undefined ? undefined : turnEpoch(working, context, genesis, end === "forced");
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
