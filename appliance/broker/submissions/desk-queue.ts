import { assert, type CancelTimer, type Timers } from "../../../src/kernel/index.ts";
import type { ItemOutcome, SubmissionGroup, TransactionDesk } from "./ports.ts";

/** How long a submission waits for others, so that many connections cost one message between threads. */
const LINGER_MS = 1;
/** Items after which nobody waits for more. */
const ITEMS_AT_ONCE = 1_024;

type Waiting = {
  readonly group: SubmissionGroup;
  readonly resolve: (outcomes: readonly ItemOutcome[]) => void;
  readonly reject: (error: unknown) => void;
};

/** Hands submissions of many connections in together. */
export class DeskQueue {
  readonly #desk: TransactionDesk;
  readonly #timers: Timers;
  #waiting: Waiting[] = [];
  #itemCount = 0;
  #cancel: CancelTimer = () => {};

  constructor(desk: TransactionDesk, timers: Timers) {
    this.#desk = desk;
    this.#timers = timers;
  }

  /** Submits a group; one outcome for each item. */
  submit(group: SubmissionGroup): Promise<readonly ItemOutcome[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly ItemOutcome[]>();
    this.#waiting.push({ group, resolve, reject });
    this.#itemCount += group.items.length;
    if (this.#itemCount >= ITEMS_AT_ONCE) this.#flush();
    else if (this.#waiting.length === 1) this.#cancel = this.#timers.after(LINGER_MS, () => this.#flush());
    return promise;
  }

  #flush(): void {
    this.#cancel();
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#itemCount = 0;
    this.#desk.submit(waiting.map(({ group }) => group)).then(
      (answers) => {
        assert(answers.length === waiting.length, "each group has an answer");
        for (const [place, { resolve }] of waiting.entries()) resolve(answers[place] ?? []);
      },
      (error: unknown) => {
        for (const { reject } of waiting) reject(error);
      },
    );
  }
}
