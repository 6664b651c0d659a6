import { assert } from "../kernel/index.ts";

/** Lets so many in at a time; the others wait, the urgent ones in front. Bounded by those who ask. */
export class Turns {
  #free: number;
  readonly #urgent: (() => void)[] = [];
  readonly #waiting: (() => void)[] = [];

  /** @param count how many have a turn at a time */
  constructor(count: number) {
    assert(count >= 1, "somebody has a turn");
    this.#free = count;
  }

  /** Resolves when it is the caller's turn; it ends with `leave`. */
  enter(isUrgent: boolean): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve) => (isUrgent ? this.#urgent : this.#waiting).push(resolve));
  }

  /** The caller's turn is over. */
  leave(): void {
    const next = this.#urgent.shift() ?? this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
