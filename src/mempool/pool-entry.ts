import { assert } from "../kernel/index.ts";
import type { Batch, Transaction } from "../protocol/index.ts";
import type { Waiter } from "./submission.ts";
import type { BatchLocation, HeldBatch } from "./types.ts";

/**
 * Where a transaction of the pool is.
 *
 * - `open`: admitted, written nowhere yet
 * - `flushing`: in a record whose sync runs
 * - `kept`: durable, in no pending batch: nonces before it are missing, or a block skipped it
 * - `batched`: durable, in a pending batch
 * - `gone`: ended; only a sync that was running may still know it
 */
export type Place = "open" | "flushing" | "kept" | "batched" | "gone";

/** What is known of a transaction when it is admitted. Ids and keys in lower-case hexadecimal. */
export type Admitted = {
  readonly id: string;
  readonly nonce: bigint;
  /** Last height at which it may execute. */
  readonly validUntil: number;
  /** Who pays its fee: the sender, or a device's owner. */
  readonly payer: string;
  /** Whether it uses its device's quota. */
  readonly isSponsored: boolean;
  /** Base units that it may take from the payer. */
  readonly cost: bigint;
  /** COSE bytes, of its own: not a view into a request's body. */
  readonly encoded: Uint8Array;
  /** Who submitted it; empty after a restart, and for what came in another validator's batch. */
  readonly source: string;
  /** Of one that came in another validator's batch and that nobody submitted here: that validator's key. */
  readonly author?: string;
};

/** A transaction of the pool. Lean: a decoded transaction takes ten times its bytes, so it is decoded when needed. */
export class PoolEntry {
  readonly id: string;
  readonly nonce: bigint;
  readonly validUntil: number;
  readonly payer: string;
  readonly isSponsored: boolean;
  readonly cost: bigint;
  readonly encoded: Uint8Array;
  readonly source: string;
  /** Whose batch alone brought it, until somebody submits it here too. */
  author: string | undefined;
  readonly account: Account;
  place: Place = "open";
  /** Newest durable record that holds its bytes. */
  record: number | undefined = undefined;
  /** The pending batch that holds it while `batched`. */
  batch: PendingBatch | undefined = undefined;
  /** The author in whose share it counts, while it is one of another's that a block skipped. */
  keptFor: string | undefined = undefined;
  /** Whether its nonce is next and it cannot execute on the finalized state: unpayable, or over quota. */
  isStalled = false;
  /** Blocks that named it without executing it. */
  skips = 0;
  /** After a skip it goes into a batch again from this height on, or from this monotonic time on. */
  retryHeight = 0;
  retryAtMs = 0;
  /** Kept from admission while there is room for it, so that it need not be decoded again. */
  decoded: Transaction | undefined = undefined;
  /** Answers that wait until it is durable. */
  waiters: Waiter[] | undefined = undefined;

  constructor(admitted: Admitted, account: Account) {
    this.id = admitted.id;
    this.nonce = admitted.nonce;
    this.validUntil = admitted.validUntil;
    this.payer = admitted.payer === account.hex ? account.hex : admitted.payer; // one string for all of an account
    this.isSponsored = admitted.isSponsored;
    this.cost = admitted.cost;
    this.encoded = admitted.encoded;
    this.source = admitted.source;
    this.author = admitted.author;
    this.account = account;
  }

  /** Whether it only came in another validator's batch: then it was not accepted here. */
  get isForeign(): boolean {
    return this.author !== undefined;
  }
}

/** The pool's transactions of one sender. */
export class Account {
  /** Public key in hexadecimal. */
  readonly hex: string;
  /** Next nonce on the finalized state. */
  nextNonce: bigint;
  /** Bytes of its transactions' COSE. */
  sizeBytes = 0;
  /** Transactions that use the quota of this device, and their bytes. */
  sponsoredCount = 0;
  sponsoredSizeBytes = 0;
  /** By nonce, those of one nonce by arrival. */
  readonly #entries: PoolEntry[] = [];

  constructor(hex: string, nextNonce: bigint) {
    this.hex = hex;
    this.nextNonce = nextNonce;
  }

  /** Its transactions in order of nonce, those of one nonce by arrival. */
  get entries(): readonly PoolEntry[] {
    return this.#entries;
  }

  /** Adds a transaction after all of its nonce or lower ones. */
  insert(entry: PoolEntry): void {
    assert(entry.account === this, "a transaction is kept with its own sender");
    this.#entries.splice(this.#firstAbove(entry.nonce), 0, entry);
    this.#count(entry, 1);
  }

  /** Takes a transaction out. */
  remove(entry: PoolEntry): void {
    let at = this.#firstAbove(entry.nonce) - 1;
    while (at >= 0 && this.#entries[at] !== entry) at--;
    assert(at >= 0, "a removed transaction is there");
    this.#entries.splice(at, 1);
    this.#count(entry, -1);
  }

  /** Transactions with this nonce, by arrival. */
  withNonce(nonce: bigint): readonly PoolEntry[] {
    const end = this.#firstAbove(nonce);
    let start = end;
    while (start > 0 && this.#entries[start - 1]?.nonce === nonce) start--;
    return start === end ? [] : this.#entries.slice(start, end);
  }

  /** The lowest nonce from the next one on that no transaction here uses. */
  freeNonce(): bigint {
    let free = this.nextNonce;
    for (const { nonce } of this.#entries) {
      if (nonce > free) break;
      if (nonce === free) free++;
    }
    return free;
  }

  #count(entry: PoolEntry, direction: 1 | -1): void {
    const size = direction * entry.encoded.length;
    this.sizeBytes += size;
    if (!entry.isSponsored) return;
    this.sponsoredCount += direction;
    this.sponsoredSizeBytes += size;
  }

  /** Index of the first transaction with a higher nonce. New nonces mostly are the highest, so that is tried first. */
  #firstAbove(nonce: bigint): number {
    const last = this.#entries.at(-1);
    if (last === undefined || last.nonce <= nonce) return this.#entries.length;
    let low = 0;
    let high = this.#entries.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as PoolEntry).nonce <= nonce) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A durable batch that no committed block names. */
export type PendingBatch = {
  readonly batch: Batch;
  readonly digestHex: string;
  /** Its author's key in hexadecimal. */
  readonly authorHex: string;
  /** Bytes of its encoding. */
  readonly sizeBytes: number;
  /** Its place in the log; a newer one after its record moved forward. */
  location: BatchLocation;
  /** The first record that held it: a place that was handed out before is not pruned. */
  firstRecord: number;
  /** What the pool holds of its transactions, in batch order; undefined where it ended before. */
  readonly entries: (PoolEntry | undefined)[];
  /** Entries that are `batched` in this one. */
  liveCount: number;
  /** Whether nothing in it could execute when it was last looked at. */
  isStuck: boolean;
  /** When it was listed, by the monotonic clock. */
  readonly sinceMs: number;
  /** Whether a leader here may propose it: enough others hold it, or it waited for that long enough (R2). */
  isOffered: boolean;
  /** As blocks take it, with its transactions decoded, while there is room for that. */
  held: HeldBatch | undefined;
};
