import { assert } from "./assert.ts";

/** First-in first-out queue with a hard bound; a full queue refuses, and the caller states what becomes of the item. */
export class BoundedQueue<T> {
  readonly #capacity: number;
  #items: (T | undefined)[] = [];
  #head = 0;

  constructor(capacity: number) {
    assert(Number.isInteger(capacity) && capacity > 0, "a queue holds at least one item");
    this.#capacity = capacity;
  }

  /** Items waiting. */
  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Whether the next `offer` will be refused. */
  get isFull(): boolean {
    return this.length >= this.#capacity;
  }

  /** Adds at the end; false when full. */
  offer(item: T): boolean {
    if (this.isFull) return false;
    this.#items.push(item);
    return true;
  }

  /** Removes the oldest, or undefined when empty. */
  poll(): T | undefined {
    if (this.#head >= this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && 2 * this.#head > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
