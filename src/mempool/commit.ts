import { assert, parseHex, present, toHex } from "../kernel/index.ts";
import type { Transaction } from "../protocol/index.ts";
import type { FinalizedTip } from "./admission.ts";
import type { RetryClock } from "./flush-plan.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { Account } from "./pool-entry.ts";
import { onSkipped, wake, wakeWatched } from "./readiness.ts";

/** What one committed block did with each transaction of its batches. */
export type BlockOutcome = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly timeMs: number;
  readonly batchDigests: readonly Uint8Array[];
  /** Executed transactions; the position is the receipt index. */
  readonly executed: readonly Transaction[];
  /** Transactions that left no trace: wrong nonce, expired, fee not payable, over quota, or a repeat. */
  readonly skipped: readonly Transaction[];
};

/** Watched accounts looked at again after a block; the rest have their turn after the next, or when the timer ticks. */
const WOKEN_PER_BLOCK = 1_024;

/** Turns among the holders of a silent author's transactions, in blocks. */
const FOREIGN_TURNS = 32;

/**
 * Follows a committed block: executed transactions leave, skipped ones are kept for another batch, those whose nonce was
 * used by another or whose last height is over end. A block at or below the height reflected is known already.
 *
 * @param tip the state after this block
 * @param author our own key: other authors' transactions are left to them for a while
 */
export function onBlockCommitted(
  state: MempoolState,
  outcome: BlockOutcome,
  tip: FinalizedTip,
  clock: RetryClock,
  aad: Uint8Array,
  author: string,
): void {
  if (outcome.height <= state.height) return;
  assert(outcome.height === state.height + 1, "committed blocks come in height order");
  state.height = outcome.height;
  state.timeMs = outcome.timeMs;
  state.version++;
  const touched = new Set<Account>();
  for (const transaction of outcome.executed) {
    const entry = state.pool.find(toHex(transaction.id));
    if (entry !== undefined) state.onExecuted(entry);
    const account = entry?.account ?? state.pool.findAccount(toHex(transaction.sender));
    if (account !== undefined && account.entries.length > 0) touched.add(account);
  }
  for (const digest of outcome.batchDigests) {
    const digestHex = toHex(digest);
    const isForeign = isForeignBatch(state, digestHex, author);
    for (const entry of state.onBatchCommitted(digestHex)) {
      onSkipped(entry, clock, isForeign && entry.isForeign ? turnOf(author, entry.id) : undefined);
      state.counters.skipped++;
      if (state.canKeep(entry)) touched.add(entry.account);
      else state.onDropped(entry);
    }
  }
  for (const account of touched) endSuperseded(state, account, tip);
  endExpired(state, touched);
  state.dropFaded(outcome.height);
  for (const account of touched) if (account.entries.length > 0) wake(state, account, tip, clock, aad);
  wakeWatched(state, tip, clock, aad, WOKEN_PER_BLOCK);
}

function isForeignBatch(state: MempoolState, digestHex: string, author: string): boolean {
  const batch = state.pending.get(digestHex) ?? state.fading.get(digestHex)?.batch;
  return batch !== undefined && batch.authorHex !== author;
}

/** Holders take turns, so that the first to batch a silent author's transaction again saves the others from it. */
function turnOf(author: string, id: string): number {
  const digits = 4;
  const [mine, its] = [author.slice(0, digits), id.slice(0, digits)];
  return (Number.parseInt(mine, 16) ^ Number.parseInt(its, 16)) % FOREIGN_TURNS;
}

/** An open transaction is not accepted yet: the batcher refuses it when it comes to write it. */
function endSuperseded(state: MempoolState, account: Account, tip: FinalizedTip): void {
  const key = present(parseHex(account.hex), "an account is spelled in hexadecimal");
  account.nextNonce = tip.view.findAccount(key)?.nonce ?? 0n;
  const used = account.entries.filter((entry) => entry.nonce < account.nextNonce && entry.place !== "open");
  for (const entry of used) state.onEnded(entry, "superseded");
}

function endExpired(state: MempoolState, touched: Set<Account>): void {
  for (const entry of state.pool.expiringAt(state.height)) {
    if (entry.place === "open") continue;
    state.onEnded(entry, "expired");
    touched.add(entry.account);
  }
}
