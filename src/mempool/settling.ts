import { parseHex, present } from "../kernel/index.ts";
import { type FinalizedTip, staleRefusal } from "./admission.ts";
import { diskFull } from "./closure.ts";
import type { RetryClock } from "./flush-plan.ts";
import type { HeldBatches } from "./held-batches.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { Offers } from "./offers.ts";
import type { MempoolParts } from "./parts.ts";
import type { Account, PendingBatch, PoolEntry } from "./pool-entry.ts";
import { wake } from "./readiness.ts";
import type { Waiter } from "./submission.ts";
import type { DurableBatch, SubmitOutcome } from "./types.ts";

/** What settling stands on. */
export type SettlingParts = {
  readonly state: MempoolState;
  readonly held: HeldBatches;
  readonly offers: Offers;
  /** Who is told of batches and ends, and what was executed. */
  readonly outside: Pick<MempoolParts, "onBatchDurable" | "onBatchReleased" | "onEnded" | "chain" | "journal">;
  readonly aad: Uint8Array;
  /** Our own key, in hexadecimal. */
  readonly author: string;
  readonly tip: () => FinalizedTip;
  readonly retryClock: () => RetryClock;
  /** Notes that a write found no space. */
  readonly onDiskFull: () => void;
  /** Answers one who submitted. */
  readonly answer: (waiter: Waiter, outcome: SubmitOutcome) => void;
};

/**
 * What follows from a write to the log, or from one that was not made: batches are listed and told of, and whoever
 * submitted a transaction is answered. Answers nothing before it is durable.
 */
export class Settling {
  readonly #parts: SettlingParts;

  constructor(parts: SettlingParts) {
    this.#parts = parts;
  }

  /** Our own transactions are durable, in this batch or held back for lower nonces. */
  onAccepted(entries: readonly PoolEntry[], batch: PendingBatch | undefined): void {
    if (batch !== undefined) {
      this.#parts.held.adopt(batch);
      this.#onListed(batch);
    }
    for (const entry of entries) {
      entry.decoded = undefined;
      this.#settle(entry, { status: "accepted", id: bytesOfId(entry) });
    }
  }

  /** Another validator's batch is durable. */
  onForeignListed(batch: PendingBatch): void {
    const { state, held, aad, tip, retryClock } = this.#parts;
    const accounts = new Set<Account>();
    for (const entry of batch.entries) if (entry?.batch === batch) accounts.add(entry.account);
    const now = tip();
    for (const account of accounts) {
      wake(state, account, now, retryClock(), aad);
      // What waited here for a nonce that came in this batch can follow it.
      if (account.entries.some(({ place, skips }) => place === "kept" && skips === 0)) state.released.add(account);
    }
    held.adopt(batch);
    this.#onListed(batch);
  }

  /** There was no space to make these durable. */
  onDiskFull(entries: readonly PoolEntry[]): void {
    const { state, outside } = this.#parts;
    this.#parts.onDiskFull();
    if (entries.length > 0) outside.journal.warn("mempool.diskFull", { refused: entries.length });
    const refusal = diskFull("disk full: there was no space to make it durable");
    for (const entry of entries) {
      if (entry.place === "batched") state.pool.disown(entry);
      else if (entry.record === undefined && entry.place !== "gone") state.onRefused(entry);
      this.#settle(entry, { status: "rejected", id: bytesOfId(entry), ...refusal });
    }
  }

  /** The chain moved between admission and writing. */
  onStale(entry: PoolEntry): void {
    const { state, outside } = this.#parts;
    const id = bytesOfId(entry);
    const executedAt = outside.chain.findExecuted(id);
    if (entry.place !== "gone") state.onRefused(entry);
    this.#settle(entry, { status: "rejected", id, ...staleRefusal(entry, executedAt) });
  }

  /** Tells of batches that blocks need no more. */
  tellReleases(): void {
    const { state, outside } = this.#parts;
    const releases = state.untoldReleases;
    if (releases.length === 0) return;
    state.untoldReleases = [];
    for (const release of releases) outside.onBatchReleased?.(release);
  }

  /** Tells of transactions that ended without executing. */
  tellEnds(): void {
    const { state, outside } = this.#parts;
    const ids = state.untoldEnds;
    if (ids.length === 0) return;
    state.untoldEnds = [];
    outside.onEnded?.(ids.map((hex) => present(parseHex(hex), "an id is hexadecimal")));
  }

  /** A listed batch as others are told of it. */
  durable({ batch, authorHex, sizeBytes }: PendingBatch): DurableBatch {
    return { digest: batch.digest, count: batch.header.count, sizeBytes, isOwn: authorHex === this.#parts.author };
  }

  #onListed(batch: PendingBatch): void {
    const { offers, outside } = this.#parts;
    offers.onListed(batch);
    outside.onBatchDurable?.(this.durable(batch));
    this.tellReleases();
  }

  #settle(entry: PoolEntry, outcome: SubmitOutcome): void {
    const { waiters } = entry;
    entry.waiters = undefined;
    for (const waiter of waiters ?? []) this.#parts.answer(waiter, outcome);
  }
}

function bytesOfId(entry: PoolEntry): Uint8Array {
  return present(parseHex(entry.id), "an id is spelled in hexadecimal");
}
