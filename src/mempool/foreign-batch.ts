import { inclusionPath, leafHash } from "../crypto/index.ts";
import { assert, present, toHex } from "../kernel/index.ts";
import { type Batch, encodeEvidence, LIMITS, type Transaction } from "../protocol/index.ts";
import { admittedOf, type FinalizedTip } from "./admission.ts";
import type { MempoolBounds } from "./bounds.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { Account, PoolEntry } from "./pool-entry.ts";

/** Transactions of one account, and of one nonce of it, that are followed beyond what admission would take. */
const FOLLOWED_FACTOR = 2;
/** Blocks by which an author's tip may lie ahead of ours. */
const TIP_SLACK_BLOCKS = 4_096;

/**
 * Finds or adds the pool's entries of a batch whose record just became durable. What is followed waits in this batch,
 * unless it waits in another one already. Judged by what bounds the tables only: whether it can execute is for the blocks.
 *
 * @param author of the batch, its key in hexadecimal
 * @returns in batch order, each `flushing` until the batch is listed; undefined where there is nothing to follow: it ended,
 * waits in another batch, or is beyond what is followed
 */
export function followTransactions(
  state: MempoolState,
  author: string,
  transactions: readonly Transaction[],
  tip: FinalizedTip,
  bounds: MempoolBounds,
): (PoolEntry | undefined)[] {
  return transactions.map((transaction) => {
    const id = toHex(transaction.id);
    const known = state.pool.find(id);
    if (known === undefined) return addFollowed(state, author, transaction, id, tip, bounds);
    state.counters.foreignRepeated++;
    if (known.place !== "open" && known.place !== "kept") return undefined;
    known.place = "flushing";
    return known;
  });
}

function addFollowed(
  state: MempoolState,
  author: string,
  transaction: Transaction,
  id: string,
  tip: FinalizedTip,
  bounds: MempoolBounds,
): PoolEntry | undefined {
  const sender = toHex(transaction.sender);
  const account = state.pool.findAccount(sender);
  const nextNonce = account?.nextNonce ?? tip.view.findAccount(transaction.sender)?.nonce ?? 0n;
  if (!isFollowed(transaction, nextNonce, tip) || (account !== undefined && isCrowded(account, transaction.nonce, bounds)))
    return undefined;
  const admitted = { ...admittedOf({ transaction, id, sender, source: "" }, tip.view), author };
  const entry = state.pool.add(admitted, { hex: sender, nextNonce });
  entry.place = "flushing";
  entry.decoded = transaction;
  return entry;
}

/** Whether it may execute one day soon enough: not used, not expired, nonce and expiry within what admission anywhere lets in. */
function isFollowed(transaction: Transaction, nextNonce: bigint, { rules }: FinalizedTip): boolean {
  const { nonce, validUntil } = transaction;
  const height = BigInt(rules.tipHeight);
  if (nonce < nextNonce || validUntil <= height) return false;
  if (nonce > nextNonce + BigInt(FOLLOWED_FACTOR) * LIMITS.nonceGapMax) return false;
  return validUntil <= height + BigInt(rules.parameters.maxValidity) + BigInt(TIP_SLACK_BLOCKS);
}

function isCrowded(account: Account, nonce: bigint, bounds: MempoolBounds): boolean {
  if (account.entries.length >= FOLLOWED_FACTOR * bounds.accountCountMax) return true;
  return account.withNonce(nonce).length >= FOLLOWED_FACTOR * bounds.rivalsMax;
}

/**
 * Proof that an author signed a batch with a faulty transaction in it.
 *
 * @param epoch in which the author is judged
 * @param index of the faulty transaction
 * @see consensus R11
 */
export function batchEvidence(batch: Batch, index: number, epoch: number): Uint8Array {
  const transaction = present(batch.transactions[index], "a faulty transaction is in its batch");
  const path = inclusionPath(batch.transactions.map(leafHash), index);
  const { header, signature } = batch;
  const encoded = encodeEvidence({ kind: "batch", epoch, header, signature, index, transaction, path });
  assert(encoded.length <= LIMITS.evidenceBytesMax, "evidence has room for every transaction of a batch");
  return encoded;
}
