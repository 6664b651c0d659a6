import type { DeviceEntry, Transaction } from "../protocol/index.ts";
import type { ExecutionContext, SkipReason } from "./context.ts";
import { findUseAfter, payerOf, quotaHourOf, quotaUseOf } from "./sponsorship.ts";
import type { WorkingAccount, WorkingSet } from "./working-set.ts";

/** Where and by which parameters a transaction would execute: the part of a block's context that decides what it pays. */
export type ChargeTerms = Pick<ExecutionContext, "height" | "timeMs"> & {
  readonly parameters: Pick<ExecutionContext["parameters"], "minimumFee" | "maxValidity">;
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
  if (fee < terms.parameters.minimumFee) return "feeTooLow";
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

/** A device after one more anchor of this size at this header time, or undefined when its quota does not allow it. */
function usedOnceMore(device: DeviceEntry, timeMs: number, sizeBytes: number): DeviceEntry | undefined {
  const hour = quotaHourOf(timeMs);
  const use = findUseAfter(device, quotaUseOf(device, hour), sizeBytes);
  return use && { ...device, hour, usedTransactions: use.transactions, usedBytes: use.bytes };
}
