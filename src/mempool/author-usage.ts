import { assert } from "../kernel/index.ts";
import { LIMITS } from "../protocol/index.ts";
import type { MempoolBounds } from "./bounds.ts";

/** What the uncommitted batches of one author, or a share of the room for them, come to. */
export type BatchRoom = { readonly count: number; readonly sizeBytes: number };

const NOTHING: BatchRoom = { count: 0, sizeBytes: 0 };
/** What a batch takes besides its transactions: many small ones must not take more memory than few large ones. */
const BATCH_OVERHEAD_BYTES = 1_024;
/** However many validators share the room, an author has room for this many full batches. */
const FULL_BATCHES_MIN = 4;

/**
 * What each other author's uncommitted batches take here, in transactions and bytes. Every member of the set has an equal
 * share of the room for others' batches, so an author who floods fills its own share and nobody else's.
 */
export class AuthorUsage {
  readonly #own: string;
  readonly #usage = new Map<string, { count: number; sizeBytes: number }>();

  /** @param own our key in hexadecimal: our batches are bounded by admission */
  constructor(own: string) {
    this.#own = own;
  }

  /** Counts a batch that is held from now on. */
  add(author: string, count: number, sizeBytes: number): void {
    if (author === this.#own) return;
    const usage = this.#usage.get(author) ?? { count: 0, sizeBytes: 0 };
    usage.count += count;
    usage.sizeBytes += sizeBytes + BATCH_OVERHEAD_BYTES;
    this.#usage.set(author, usage);
  }

  /** Counts a batch no longer: it is committed, or let go. */
  remove(author: string, count: number, sizeBytes: number): void {
    if (author === this.#own) return;
    const usage = this.#usage.get(author);
    const taken = sizeBytes + BATCH_OVERHEAD_BYTES;
    assert(usage !== undefined && usage.sizeBytes >= taken && usage.count >= count, "what is let go was counted");
    usage.count -= count;
    usage.sizeBytes -= taken;
    if (usage.count === 0) this.#usage.delete(author);
  }

  /** What an author's batches take. */
  of(author: string): BatchRoom {
    return this.#usage.get(author) ?? NOTHING;
  }

  /** What all other authors' batches take together. */
  total(): BatchRoom {
    let [count, sizeBytes] = [0, 0];
    for (const usage of this.#usage.values()) {
      count += usage.count;
      sizeBytes += usage.sizeBytes;
    }
    return { count, sizeBytes };
  }
}

/** An author's share when so many validators make batches. */
export function shareOf(bounds: MempoolBounds, validatorCount: number): BatchRoom {
  const others = Math.max(1, validatorCount - 1);
  return {
    count: Math.max(Math.floor(bounds.foreignCountMax / others), FULL_BATCHES_MIN * LIMITS.batchTransactionsMax),
    sizeBytes: Math.max(Math.floor(bounds.foreignSizeBytesMax / others), FULL_BATCHES_MIN * LIMITS.batchBytesMax),
  };
}
