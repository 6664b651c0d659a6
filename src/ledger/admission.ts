import { err, ok, type Result } from "../kernel/index.ts";
import { formatAddress, LIMITS, type Rejection, type RejectionCode, type Transaction } from "../protocol/index.ts";
import { type ChargeTerms, chargeFee, isFree, validityWindowOf } from "./charge.ts";
import type { SkipReason } from "./context.ts";
import { findFutility } from "./futile.ts";
import { findUseAfter, type Payer, payerOf, type QuotaUse, quotaHourOf, quotaUseOf } from "./sponsorship.ts";
import type { LedgerView } from "./view.ts";
import { WorkingSet } from "./working-set.ts";

/** Where the chain stands when a transaction is judged. */
export type AdmissionRules = {
  /** Finalized height; what is judged executes above it. */
  readonly tipHeight: number;
  /** The best estimate of the next header's time, milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly parameters: ChargeTerms["parameters"];
  /** Whether encoded evidence convicts somebody anew on the finalized state; without it no transaction is free. */
  readonly isConvicting?: (evidence: Uint8Array) => boolean;
};

/** What is accepted but not yet final, as the pool knows it. Keys are 32-byte public keys. */
export interface PendingView {
  /** The nonce after the unbroken run of pending ones that starts at the account's own, or undefined when none is pending. */
  nextNonce(sender: Uint8Array): bigint | undefined;
  /** Base units, fees and amounts that are transferred or staked, that pending transactions will take from this key's balance. */
  spendOf(payer: Uint8Array): bigint;
  /** Quota that pending anchors of a sponsored device will use. */
  quotaUseOf(device: Uint8Array): QuotaUse;
}

/** What admission found out about a transaction that it lets in. */
export type Admission = {
  /** Whether it can execute next or after what is pending (`ready`), or waits for others of its sender (`gap`). */
  readonly readiness: "ready" | "gap";
  /** Key whose balance pays: the sender, or the owner of the sending device; 32 bytes. */
  readonly payer: Uint8Array;
  /** Base units that it takes from the payer when it is applied. */
  readonly cost: bigint;
};

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
): Result<Admission, Rejection> {
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
  const futility = findFutility(view, transaction);
  if (futility !== undefined) return err(futility);
  const payer = payerOf(view, transaction);
  const unpaid = findQuotaFault(rules, transaction, payer, pending) ?? findFundsFault(view, transaction, payer, pending);
  if (unpaid !== undefined) return err(unpaid);
  const next = pending.nextNonce(transaction.sender) ?? account.nonce;
  const readiness = nonce <= next || nonce === account.nonce ? "ready" : "gap";
  return ok({ readiness, payer: payer.publicKey, cost: spendOf(transaction) });
}

/** Base units that a transaction takes from its payer's balance at most: the fee, and what its sender transfers or stakes. */
export function spendOf({ fee, body }: Transaction): bigint {
  return body.type === 1 || body.type === 8 ? fee + body.amount : fee;
}

/**
 * Why a transaction would be skipped if it executed next on this view, or undefined when it would get a receipt: the
 * rules of execution themselves, so what is found executable here is not put into blocks in vain.
 */
export function findSkipReason(view: LedgerView, rules: AdmissionRules, transaction: Transaction): SkipReason | undefined {
  const terms = chargeTermsOf(rules);
  const charge = chargeFee(new WorkingSet(view), terms, validityWindowOf(terms), transaction);
  return typeof charge === "string" ? charge : undefined;
}

function chargeTermsOf({ tipHeight, timeMs, parameters, isConvicting }: AdmissionRules): ChargeTerms {
  return { height: tipHeight + 1, timeMs, parameters, ...(isConvicting && { isConvicting }) };
}

function findStatelessFault(rules: AdmissionRules, transaction: Transaction): Rejection | undefined {
  const { fee, validUntil } = transaction;
  const { minimumFee } = rules.parameters;
  const terms = chargeTermsOf(rules);
  const { earliest, latest } = validityWindowOf(terms);
  if (fee < minimumFee && !isFree(terms, transaction)) return fault("feeTooLow", `expected a fee of ${minimumFee} or more, got ${fee}`);
  if (validUntil < earliest) return fault("expired", `expected validUntil of ${earliest} or above, got ${validUntil}`);
  if (validUntil > latest) return fault("validityTooLong", `expected validUntil of ${latest} or below, got ${validUntil}`);
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
