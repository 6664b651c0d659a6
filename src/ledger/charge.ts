import type { DeviceEntry, Transaction } from "../protocol/index.ts";
import type { ExecutionContext, SkipReason } from "./context.ts";
import { findUseAfter, payerOf, quotaHourOf, quotaUseOf } from "./sponsorship.ts";
import type { WorkingAccount, WorkingSet } from "./working-set.ts";

/** Where and by which parameters a transaction would execute: the part of a block's context that decides what it pays. */
export type ChargeTerms = Pick<ExecutionContext, "height" | "timeMs"> & {
  readonly parameters: Pick<ExecutionContext["parameters"], "minimumFee" | "maxValidity">;
  /**
   * Whether encoded evidence convicts somebody anew on the state that is charged: then, and only then, the transaction
   * that carries it is free. Nothing is free where nobody can tell.
   */
  readonly isConvicting?: (evidence: Uint8Array) => boolean;
};

/** The validUntil that a transaction may have. */
export type ValidityWindow = { readonly earliest: bigint; readonly latest: bigint };

/** The validUntil of what may execute at this height, whose block stands on a tip one below. Both ends are inclusive. */
export function validityWindowOf(terms: ChargeTerms): ValidityWindow {
  const height = BigInt(terms.height);
  return { earliest: height, latest: height - 1n + terms.parameters.maxValidity };
}

/** Charges the fee and uses up the nonce, and says who paid; or why the transaction is skipped, having changed nothing. */
export function chargeFee(
  working: WorkingSet,
  terms: ChargeTerms,
  window: ValidityWindow,
  transaction: Transaction,
): WorkingAccount | SkipReason {
  const { fee, nonce, validUntil } = transaction;
  if (validUntil < window.earliest) return "expired";
  if (validUntil > window.latest) return "validityTooLong";
  if (fee < terms.parameters.minimumFee && !isFree(terms, transaction)) return "feeTooLow";
  const sender = working.account(transaction.sender);
  if (!sender.isPresent) return "unknownSender";
  if (nonce !== sender.nonce) return nonce < sender.nonce ? "nonceTooLow" : "nonceTooHigh";
  const { publicKey, device } = payerOf(working, transaction);
  const used = device === undefined ? undefined : usedOnceMore(device, terms.timeMs, transaction.encoded.length);
  if (device !== undefined && used === undefined) return "quotaExceeded";
  const payer = device === undefined ? sender : working.account(publicKey);
  if (payer.balance < fee) return "insufficientFunds";
  if (used !== undefined) working.setDevice(transaction.sender, used);
  working.debit(payer, fee);
  working.bumpNonce(sender);
  return payer;
}

/** Evidence that does what it is for costs nothing, so that nobody needs means to accuse. */
export function isFree({ isConvicting }: ChargeTerms, { body }: Transaction): boolean {
  return body.type === 12 && isConvicting?.(body.evidence) === true;
}

/** A device after one more anchor of this size at this header time, or undefined when its quota does not allow it. */
function usedOnceMore(device: DeviceEntry, timeMs: number, sizeBytes: number): DeviceEntry | undefined {
  const hour = quotaHourOf(timeMs);
  const use = findUseAfter(device, quotaUseOf(device, hour), sizeBytes);
  return use && { ...device, hour, usedTransactions: use.transactions, usedBytes: use.bytes };
}
