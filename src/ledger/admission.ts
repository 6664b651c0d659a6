import { err, ok, type Result } from "../kernel/index.ts";
import { formatAddress, LIMITS, type Rejection, type RejectionCode, type Transaction } from "../protocol/index.ts";
import type { LedgerParameters } from "./context.ts";
import { findUseAfter, type Payer, payerOf, type QuotaUse, quotaHourOf, quotaUseOf } from "./sponsorship.ts";
import type { LedgerView } from "./view.ts";

/** Where the chain stands when a transaction is judged. */
export type AdmissionRules = {
  /** Finalized height. */
  readonly tipHeight: number;
  /** The best estimate of the next header's time, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly parameters: Pick<LedgerParameters, "minimumFee" | "maxValidity">;
};

/** What is accepted but not yet final, as the pool knows it. Keys are 32-byte public keys. */
export interface PendingView {
  /** The nonce after the unbroken run of pending ones that starts at the account's own, or undefined when none is pending. */
  nextNonce(sender: Uint8Array): bigint | undefined;
  /** Base units, fees and transferred amounts, that pending transactions will take from this key's balance. */
  spendOf(payer: Uint8Array): bigint;
  /** Quota that pending anchors of a sponsored device will use. */
  quotaUseOf(device: Uint8Array): QuotaUse;
}

/** Whether a transaction can execute next (`ready`), or waits for others of its sender (`gap`). */
export type Readiness = "ready" | "gap";

/**
 * Judges a decoded transaction against the finalized state and what is pending, the cheapest checks first; its
 * signature is checked afterwards and elsewhere. Pure and total.
 *
 * A verdict is a forecast: what is accepted may still be skipped or fail when it executes on a later state.
 *
 * @param pending leaves the transaction itself out when it is already in the pool
 */
export function checkAdmission(
  view: LedgerView,
  rules: AdmissionRules,
  transaction: Transaction,
  pending: PendingView,
): Result<Readiness, Rejection> {
  const stateless = findStatelessFault(rules, transaction);
  if (stateless !== undefined) return err(stateless);
  const account = view.findAccount(transaction.sender);
  if (account === undefined) {
    return refuse("unknownSender", `expected an account that exists, got ${formatAddress(transaction.sender)}; transfer to it first`);
  }
  const { nonce } = transaction;
  if (nonce < account.nonce) return refuse("nonceTooLow", `expected nonce ${account.nonce} or above, got ${nonce}`);
  if (nonce > account.nonce + LIMITS.nonceGapMax) {
    return refuse("nonceTooHigh", `expected nonce ${account.nonce + LIMITS.nonceGapMax} or below, got ${nonce}`);
  }
  const payer = payerOf(view, transaction);
  const unpaid = findQuotaFault(rules, transaction, payer, pending) ?? findFundsFault(view, transaction, payer, pending);
  if (unpaid !== undefined) return err(unpaid);
  const next = pending.nextNonce(transaction.sender);
  return ok(nonce <= (next === undefined || next < account.nonce ? account.nonce : next) ? "ready" : "gap");
}

/** Base units that a transaction takes from its payer's balance when it is applied: the fee, and what its sender transfers. */
export function spendOf(transaction: Transaction): bigint {
  return transaction.body.type === 1 ? transaction.fee + transaction.body.amount : transaction.fee;
}

function findStatelessFault(rules: AdmissionRules, transaction: Transaction): Rejection | undefined {
  const { fee, validUntil, body } = transaction;
  const { minimumFee, maxValidity } = rules.parameters;
  const tip = BigInt(rules.tipHeight);
  if (fee < minimumFee) return fault("feeTooLow", `expected a fee of ${minimumFee} or more, got ${fee}`);
  if (validUntil <= tip) return fault("expired", `expected validUntil above the tip ${tip}, got ${validUntil}`);
  if (validUntil > tip + maxValidity) {
    return fault("validityTooLong", `expected validUntil of ${tip + maxValidity} or below, got ${validUntil}`);
  }
  if (body.type > 4) return fault("notAuthorized", `expected a type from 1 to 4, got ${body.type}, which is reserved`);
  return undefined;
}

function findQuotaFault(rules: AdmissionRules, transaction: Transaction, { device }: Payer, pending: PendingView): Rejection | undefined {
  if (device === undefined) return undefined;
  const used = quotaUseOf(device, quotaHourOf(rules.timeMs));
  const waiting = pending.quotaUseOf(transaction.sender);
  const use = { transactions: used.transactions + waiting.transactions, bytes: used.bytes + waiting.bytes };
  if (findUseAfter(device, use, transaction.encoded.length) !== undefined) return undefined;
  const quota = `${device.transactionsPerHour} transactions and ${device.bytesPerHour} bytes`;
  return fault(
    "quotaExceeded",
    `the device may send ${quota} an hour and has sent or waits to send ${use.transactions} and ${use.bytes}; try next hour`,
  );
}

function findFundsFault(view: LedgerView, transaction: Transaction, payer: Payer, pending: PendingView): Rejection | undefined {
  const balance = view.findAccount(payer.publicKey)?.balance ?? 0n;
  const needed = pending.spendOf(payer.publicKey) + spendOf(transaction);
  if (needed <= balance) return undefined;
  const who = payer.device === undefined ? "the sender" : "the device's owner";
  return fault("insufficientFunds", `${who} has ${balance}, and with what is pending needs ${needed}`);
}

function fault(code: RejectionCode, detail: string): Rejection {
  return { code, detail };
}

function refuse(code: RejectionCode, detail: string): { readonly ok: false; readonly error: Rejection } {
  return err({ code, detail });
}
