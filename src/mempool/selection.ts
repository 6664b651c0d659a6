import type { MempoolState } from "./mempool-state.ts";
import type { Account, PendingBatch } from "./pool-entry.ts";

/** What a block has room for. */
export type BlockRoom = { readonly bytes: number; readonly transactions: number };

/** Batches passed over because they do not fit, before a selection ends. */
const MISFITS_MAX = 16;

/**
 * The oldest pending batches that fit a block and in which at least one transaction could execute: its nonce is next on
 * the finalized state, or follows ones in batches that are excluded (in an unfinalized ancestor) or selected before it,
 * and the front of its account is not known to be unpayable. A batch that cannot execute is not work: it is marked as
 * stuck and not looked at again until `wake` finds that one of its transactions can.
 *
 * A batch is offered to a block once weight Q is known to hold it, or once it waited for that long enough: a leader that
 * names what few hold makes the others fetch before they can vote (R2).
 *
 * @param isExcluded names batches, by digest in hexadecimal, that an unfinalized ancestor holds
 */
export function selectBatches(state: MempoolState, room: BlockRoom, isExcluded: (digestHex: string) => boolean): readonly PendingBatch[] {
  const nonces = new Map<Account, bigint>();
  const selected: PendingBatch[] = [];
  let bytes = 0;
  let transactions = 0;
  let misfits = 0;
  let isPartial = false;
  for (const batch of state.pending.values()) {
    if (batch.isStuck) continue;
    const excluded = isExcluded(batch.digestHex);
    if (!excluded && !batch.isOffered) {
      isPartial = true;
      continue;
    }
    const count = batch.entries.length;
    if (!excluded && (bytes + batch.sizeBytes > room.bytes || transactions + count > room.transactions)) {
      misfits++;
      isPartial = true;
      if (misfits > MISFITS_MAX || transactions >= room.transactions || bytes >= room.bytes) break;
      continue;
    }
    if (!advance(state, batch, nonces)) {
      // What a passed-over batch would enable is not known, so only a complete view may call a batch stuck.
      if (!isPartial && !excluded) batch.isStuck = true;
      continue;
    }
    if (excluded) continue;
    selected.push(batch);
    bytes += batch.sizeBytes;
    transactions += count;
  }
  return selected;
}

/** Whether any offered batch could execute something on the finalized state. */
export function hasExecutableBatch(state: MempoolState): boolean {
  const nonces = new Map<Account, bigint>();
  let isPartial = false;
  for (const batch of state.pending.values()) {
    if (batch.isStuck) continue;
    if (!batch.isOffered) {
      isPartial = true;
      continue;
    }
    if (advance(state, batch, nonces)) return true;
    if (!isPartial) batch.isStuck = true;
  }
  return false;
}

/** Follows the nonces that a batch's transactions would use up; whether there is any. */
function advance(state: MempoolState, batch: PendingBatch, nonces: Map<Account, bigint>): boolean {
  let hasExecutable = false;
  for (const entry of batch.entries) {
    if (entry?.batch !== batch || entry.isStalled || entry.validUntil <= state.height) continue;
    const { account } = entry;
    if (entry.nonce !== (nonces.get(account) ?? account.nextNonce)) continue;
    nonces.set(account, entry.nonce + 1n);
    hasExecutable = true;
  }
  return hasExecutable;
}
