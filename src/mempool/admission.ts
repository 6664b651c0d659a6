import { err, ok, type Result, toHex } from "../kernel/index.ts";
import { type AdmissionRules, checkAdmission, type LedgerView, type PendingView, payerOf, spendOf } from "../ledger/index.ts";
import type { Transaction } from "../protocol/index.ts";
import type { MempoolBounds } from "./bounds.ts";
import type { Pool } from "./pool.ts";
import type { Account, Admitted, PoolEntry } from "./pool-entry.ts";
import type { ChainIndex, ExecutedAt, Refusal } from "./types.ts";

/** The finalized tip that transactions are judged on. */
export type FinalizedTip = { readonly view: LedgerView; readonly rules: AdmissionRules };

/** What admission judges by. */
export type AdmissionContext = {
  readonly bounds: MempoolBounds;
  readonly pool: Pool;
  readonly chain: ChainIndex;
  readonly tip: FinalizedTip;
  /** Why nothing new is admitted at present (no disk space, stopping), or undefined. */
  readonly closure: Refusal | undefined;
};

/** A decoded transaction with the spellings that tables are keyed by, and who submitted it. */
export type Candidate = {
  readonly transaction: Transaction;
  readonly id: string;
  readonly sender: string;
  readonly source: string;
};

/** The verdict short of the signature: in the pool already, or new and admissible. */
export type Admissible = { readonly kind: "pending"; readonly entry: PoolEntry } | { readonly kind: "new" };

const NEW: Admissible = { kind: "new" };

/**
 * Judges a decoded transaction by everything but its signature, cheapest first. Asked before the signature is verified,
 * so that nothing refusable costs a verification, and again after, because the pool and the chain moved meanwhile and
 * because only a verified transaction takes a nonce, funds or a quota: an unverified one must not keep others out.
 *
 * Changes nothing.
 *
 * @see ledger.md for the codes; the first that applies is answered
 */
export function judge(candidate: Candidate, context: AdmissionContext): Result<Admissible, Refusal> {
  const { transaction } = candidate;
  const { pool, tip } = context;
  const entry = pool.find(candidate.id);
  if (entry !== undefined) return ok({ kind: "pending", entry });
  const account = pool.findAccount(candidate.sender);
  const rivals = account?.withNonce(transaction.nonce) ?? [];
  const isReplacement = rivals.length > 0 && rivals.every(({ isStalled }) => isStalled);
  const rival = account === undefined || rivals.length === 0 ? undefined : findRivalRefusal(rivals, isReplacement, account, context.bounds);
  if (rival !== undefined) return err(rival);
  const pending = isReplacement ? NOTHING_PENDING : pendingViewOf(candidate, pool, account);
  const verdict = checkAdmission(tip.view, tip.rules, transaction, pending);
  if (!verdict.ok) return err(findDuplicate(transaction, context) ?? verdict.error);
  const refusal =
    findQuotaRefusal(candidate, account, pool, context.bounds) ?? context.closure ?? findBoundRefusal(candidate, pool, context.bounds);
  return refusal === undefined ? ok(NEW) : err(refusal);
}

/** That it executed already, when it did; only asked about what the ledger refuses, which everything executed is. */
function findDuplicate(transaction: Transaction, { tip, chain }: AdmissionContext): Refusal | undefined {
  if (transaction.nonce >= (tip.view.findAccount(transaction.sender)?.nonce ?? 0n)) return undefined;
  const executedAt = chain.findExecuted(transaction.id);
  return executedAt === undefined ? undefined : executedRefusal(executedAt);
}

/** What the pool keeps of a transaction that was judged admissible. */
export function admittedOf(candidate: Candidate, view: LedgerView): Admitted {
  const { transaction, id, sender, source } = candidate;
  const { nonce, validUntil } = transaction;
  const encoded = transaction.encoded.slice(); // what was decoded from has views into it, which take three times its bytes
  const { publicKey, device } = payerOf(view, transaction);
  const payer = publicKey === transaction.sender ? sender : toHex(publicKey);
  const cost = spendOf(transaction);
  return { id, nonce, validUntil: Number(validUntil), payer, isSponsored: device !== undefined, cost, encoded, source };
}

/** Why a transaction that was admissible is not any more, since the chain moved on before it was written. */
export function staleRefusal(entry: PoolEntry, executedAt: ExecutedAt | undefined): Refusal {
  if (executedAt !== undefined) return executedRefusal(executedAt);
  const { nextNonce } = entry.account;
  if (entry.nonce < nextNonce) return { code: "nonceTooLow", detail: `expected nonce ${nextNonce} or above, got ${entry.nonce}` };
  return { code: "expired", detail: `its last height ${entry.validUntil} is final` };
}

function executedRefusal(executedAt: ExecutedAt): Refusal {
  return { code: "duplicate", detail: `it executed at height ${executedAt.height}`, executedAt };
}

const NO_QUOTA_USE = { transactions: 0n, bytes: 0n };

/** For a replacement: a front that cannot execute must not hold funds and quota against it, for only one of them executes. */
const NOTHING_PENDING: PendingView = { nextNonce: () => undefined, spendOf: () => 0n, quotaUseOf: () => NO_QUOTA_USE };

/** The ledger is asked about one sender at a time, so that sender's account serves as its device too. */
function pendingViewOf({ transaction, sender }: Candidate, pool: Pool, account: Account | undefined): PendingView {
  return {
    nextNonce: () => undefined, // only tells ready from gap, which the batcher finds out itself
    spendOf: (payer) => pool.reservedOf(payer === transaction.sender ? sender : toHex(payer)),
    quotaUseOf: () =>
      account === undefined ? NO_QUOTA_USE : { transactions: BigInt(account.sponsoredCount), bytes: BigInt(account.sponsoredSizeBytes) },
  };
}

/**
 * A pending transaction keeps its nonce while it can execute: accepting a second one then could only end one of them as
 * superseded. A front that cannot execute (its fee became unpayable, its device is over quota) may be replaced by its
 * sender, else it would block the account until it expires. All of them stay accepted; the first that executes
 * supersedes the others.
 */
function findRivalRefusal(
  rivals: readonly PoolEntry[],
  isReplacement: boolean,
  account: Account,
  bounds: MempoolBounds,
): Refusal | undefined {
  if (isReplacement && rivals.length < bounds.rivalsMax) return undefined;
  const detail = isReplacement
    ? `the nonce has ${rivals.length} pending transactions already, the most there may be`
    : `the nonce belongs to the pending transaction ${rivals[0]?.id}; the next free nonce is ${account.freeNonce()}`;
  return { code: "nonceTooLow", detail };
}

function findQuotaRefusal(candidate: Candidate, account: Account | undefined, pool: Pool, bounds: MempoolBounds): Refusal | undefined {
  const size = candidate.transaction.encoded.length;
  if (
    account !== undefined &&
    isOver(account.entries.length, account.sizeBytes + size, bounds.accountCountMax, bounds.accountSizeBytesMax)
  ) {
    return overQuota("account", bounds.accountCountMax, bounds.accountSizeBytesMax);
  }
  const usage = pool.usageOf(candidate.source);
  if (isOver(usage.count, usage.sizeBytes + size, bounds.sourceCountMax, bounds.sourceSizeBytesMax)) {
    return overQuota("source", bounds.sourceCountMax, bounds.sourceSizeBytesMax);
  }
  return undefined;
}

function isOver(count: number, sizeBytes: number, countMax: number, sizeBytesMax: number): boolean {
  return count >= countMax || sizeBytes > sizeBytesMax;
}

function overQuota(who: string, countMax: number, sizeBytesMax: number): Refusal {
  return {
    code: "quotaExceeded",
    detail: `one ${who} may have ${countMax} transactions or ${sizeBytesMax} bytes pending`,
    retryAfterMs: 5_000,
  };
}

function findBoundRefusal(candidate: Candidate, pool: Pool, bounds: MempoolBounds): Refusal | undefined {
  const { count, sizeBytes } = pool.ownUse;
  if (!isOver(count, sizeBytes + candidate.transaction.encoded.length, bounds.poolCountMax, bounds.poolSizeBytesMax)) return undefined;
  return { code: "mempoolFull", detail: `${count} transactions of ${sizeBytes} bytes are pending`, retryAfterMs: 2_000 };
}
