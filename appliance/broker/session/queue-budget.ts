import { assert } from "../../../src/kernel/index.ts";

/** Whose queue can give up what waits in it. */
export interface Yielding {
  /** Bytes of messages that wait and were not sent. */
  readonly waitingBytes: number;
  /** Drops the newest message that waits. */
  yieldNewest(): void;
}

/** Bytes that are granted to every queue, however much all together hold: small messages reach a device at any time. */
const FREE_BYTES = 4_096;

/**
 * Bytes that wait for all sessions together. Where they are used up, the longest queue gives way, newest message first, to
 * one that is shorter: devices that are away, or read nothing, cannot take everybody else's messages from them.
 *
 * Queues are sorted by the power of two that their waiting bytes reach, so that the longest is found at once, to within a
 * factor of two.
 */
export class QueueBudget {
  readonly bytesMax: number;
  usedBytes = 0;
  usedCount = 0;
  readonly #onYielded: () => void;
  readonly #byMagnitude: Set<Yielding>[] = Array.from({ length: 33 }, () => new Set());

  /** @param onYielded counts a message that gave way */
  constructor(bytesMax: number, onYielded: () => void = () => {}) {
    this.bytesMax = bytesMax;
    this.#onYielded = onYielded;
  }

  /** Called after the waiting bytes of a queue changed from `before`. */
  onWaiting(queue: Yielding, before: number): void {
    const [from, to] = [magnitudeOf(before), magnitudeOf(queue.waitingBytes)];
    if (from === to) return;
    this.#byMagnitude[from]?.delete(queue);
    if (to > 0) this.#byMagnitude[to]?.add(queue);
  }

  /** Whether so many bytes more fit as it is. */
  hasRoom(weight: number): boolean {
    return this.usedBytes + weight <= this.bytesMax;
  }

  /** Whether a queue that holds `ownBytes` may take so many more; longer queues give way for it. */
  makeRoom(weight: number, ownBytes: number): boolean {
    if (ownBytes + weight <= FREE_BYTES) return true;
    while (!this.hasRoom(weight)) {
      const longest = this.#longest();
      if (longest === undefined || longest.waitingBytes <= ownBytes + weight) return false;
      const before = this.usedBytes;
      longest.yieldNewest();
      assert(this.usedBytes < before, "a queue in which something waits can give it up");
      this.#onYielded();
    }
    return true;
  }

  #longest(): Yielding | undefined {
    for (let magnitude = this.#byMagnitude.length - 1; magnitude > 0; magnitude--) {
      for (const queue of this.#byMagnitude[magnitude] ?? []) return queue;
    }
    return undefined;
  }
}

/** 0 for nothing, else the number of bits. */
function magnitudeOf(bytes: number): number {
  return 32 - Math.clz32(bytes);
}
