import { assert } from "../kernel/index.ts";

/** Somebody who waits for room, and how much. */
type Waiter = { readonly size: number; readonly go: () => void };

/** Lets so much in at a time; the others wait in line, the urgent ones in front. Bounded by those who ask. */
export class Turns {
  readonly #room: number;
  #free: number;
  readonly #urgent: Waiter[] = [];
  readonly #waiting: Waiter[] = [];

  /** @param room how much has a turn at a time, in the unit of `enter` */
  constructor(room: number) {
    assert(room >= 1, "somebody has a turn");
    this.#room = room;
    this.#free = room;
  }

  /** Resolves when it is the turn of something of this size, which ends with `leave` of the same size. */
  enter(isUrgent: boolean, size: number): Promise<void> {
    assert(size >= 1 && size <= this.#room, "whoever waits fits in some day");
    if (size <= this.#free && this.#urgent.length + this.#waiting.length === 0) {
      this.#free -= size;
      return Promise.resolve();
    }
    return new Promise((resolve) => (isUrgent ? this.#urgent : this.#waiting).push({ size, go: resolve }));
  }

  /** The turn of something of this size is over. */
  leave(size: number): void {
    this.#free += size;
    assert(this.#free <= this.#room, "who leaves was in");
    for (let line = this.#line(); line.length > 0; line = this.#line()) {
      const next = line[0];
      if (next === undefined || next.size > this.#free) return;
      line.shift();
      this.#free -= next.size;
      next.go();
    }
  }

  #line(): Waiter[] {
    return this.#urgent.length > 0 ? this.#urgent : this.#waiting;
  }
}
