import { assert } from "../kernel/index.ts";
import { LIMITS } from "../protocol/index.ts";
import type { MempoolBounds } from "./bounds.ts";

/** What the batches of one author come to, or may come to, in transactions and bytes. */
export type BatchRoom = { readonly count: number; readonly sizeBytes: number };

const NOTHING: BatchRoom = { count: 0, sizeBytes: 0 };
/** However many validators share the room, an author has room for this many full batches. */
const FULL_BATCHES_MIN = 4;

/**
 * What each other author takes of a room here, in transactions and bytes. Every member of the set has an equal share of it,
 * so an author who floods fills its own share and nobody else's; who is no member has none.
 */
export class AuthorUsage {
  readonly #own: string;
  readonly #roomOf: (author: string) => BatchRoom;
  readonly #usage = new Map<string, { count: number; sizeBytes: number }>();

  /**
   * @param own our key in hexadecimal: our batches are bounded by admission
   * @param roomOf what an author may take
   */
  constructor(own: string, roomOf: (author: string) => BatchRoom) {
    this.#own = own;
    this.#roomOf = roomOf;
  }

  /** Whether so much more of an author fits. */
  hasRoom(author: string, count: number, sizeBytes: number): boolean {
    const used = this.#usage.get(author) ?? NOTHING;
    const room = this.#roomOf(author);
    return used.count + count <= room.count && used.sizeBytes + sizeBytes <= room.sizeBytes;
  }

  /** Counts what is held from now on. */
  add(author: string, count: number, sizeBytes: number): void {
    if (author === this.#own) return;
    const usage = this.#usage.get(author) ?? { count: 0, sizeBytes: 0 };
    usage.count += count;
    usage.sizeBytes += sizeBytes;
    this.#usage.set(author, usage);
  }

  /** Counts what is let go no longer. */
  remove(author: string, count: number, sizeBytes: number): void {
    if (author === this.#own) return;
    const usage = this.#usage.get(author);
    assert(usage !== undefined && usage.sizeBytes >= sizeBytes && usage.count >= count, "what is let go was counted");
    usage.count -= count;
    usage.sizeBytes -= sizeBytes;
    if (usage.count === 0) this.#usage.delete(author);
  }
}

/** What a member may take of the room for uncommitted batches when so many validators make batches. */
export function shareOf(bounds: MempoolBounds, validatorCount: number): BatchRoom {
  const others = Math.max(1, validatorCount - 1);
  return {
    count: Math.max(Math.floor(bounds.foreignCountMax / others), FULL_BATCHES_MIN * LIMITS.batchTransactionsMax),
    sizeBytes: Math.max(Math.floor(bounds.foreignSizeBytesMax / others), FULL_BATCHES_MIN * LIMITS.batchBytesMax),
  };
}
