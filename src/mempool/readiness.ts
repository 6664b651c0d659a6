import { present } from "../kernel/index.ts";
import { findUseAfter, payerOf, quotaHourOf, quotaUseOf } from "../ledger/index.ts";
import { decodeTransaction, type Transaction } from "../protocol/index.ts";
import type { FinalizedTip } from "./admission.ts";
import { isDue, type RetryClock } from "./flush-plan.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { Account, PoolEntry } from "./pool-entry.ts";

/** Longest wait for another try after a skip, in blocks and in time; the first is one block or one second. */
const RETRY_BLOCKS_MAX = 64;
const RETRY_MS = 1_000;
/** Blocks that another author's skipped transactions are left to that author. */
const FOREIGN_RETRY_BLOCKS = 64;

/**
 * Whether a transaction with its sender's next nonce would leave a receipt in a block made now: not expired, its fee
 * payable by whoever pays it, its device within quota.
 */
function canExecute(tip: FinalizedTip, transaction: Transaction): boolean {
  const { view, rules } = tip;
  if (transaction.validUntil <= BigInt(rules.tipHeight)) return false;
  if (view.findAccount(transaction.sender)?.nonce !== transaction.nonce) return false;
  const { publicKey, device } = payerOf(view, transaction);
  if (device !== undefined) {
    const used = quotaUseOf(device, quotaHourOf(rules.timeMs));
    if (findUseAfter(device, used, transaction.encoded.length) === undefined) return false;
  }
  return (view.findAccount(publicKey)?.balance ?? 0n) >= transaction.fee;
}

/**
 * Looks at what is next by nonce in an account: can it execute, and is it where a block can take it from? Marks it as
 * stalled or not, lists the account as released when a kept transaction's turn has come, as watched when that has to
 * be asked again later, and makes a batch that seemed stuck includable again.
 */
export function wake(state: MempoolState, account: Account, tip: FinalizedTip, clock: RetryClock, aad: Uint8Array): void {
  const front = account.withNonce(account.nextNonce);
  state.watched.delete(account);
  for (const entry of front) {
    entry.isStalled = !canExecute(tip, entry.decoded ?? decodedAgain(entry, aad));
    if (entry.isStalled) state.watched.add(account);
    else if (entry.batch?.isStuck === true) {
      entry.batch.isStuck = false;
      state.version++;
    }
    if (entry.place !== "kept") continue;
    if (isDue(entry, clock)) state.released.add(account);
    else state.watched.add(account);
  }
}

/** Wakes watched accounts in turn, so many at most. */
export function wakeWatched(state: MempoolState, tip: FinalizedTip, clock: RetryClock, aad: Uint8Array, countMax: number): void {
  const turn = [];
  for (const account of state.watched) {
    turn.push(account);
    if (turn.length >= countMax) break;
  }
  for (const account of turn) wake(state, account, tip, clock, aad); // goes behind the others when it is watched again
}

/**
 * Notes that a block named a transaction without executing it: each time it waits longer for another try.
 *
 * @param turn for another author's: blocks beyond the time that is left to its author
 */
export function onSkipped(entry: PoolEntry, clock: RetryClock, turn: number | undefined): void {
  const factor = 2 ** Math.min(entry.skips, 6);
  entry.skips++;
  const foreign = turn === undefined ? undefined : FOREIGN_RETRY_BLOCKS + turn;
  entry.retryHeight = clock.height + (foreign ?? Math.min(factor, RETRY_BLOCKS_MAX));
  entry.retryAtMs = clock.nowMs + RETRY_MS * (foreign ?? factor);
}

/** Decodes a transaction of the pool again. */
function decodedAgain(entry: PoolEntry, aad: Uint8Array): Transaction {
  const decoded = decodeTransaction(aad, entry.encoded);
  return present(decoded.ok ? decoded.value : undefined, "what was admitted decodes");
}
