import { assert } from "../kernel/index.ts";
import type { MempoolFailed, SubmitOutcome } from "./types.ts";

/** One place in a submission's answer that waits for a verdict. */
export type Waiter = { readonly submission: Submission; readonly index: number };

/** Transactions submitted together: collects an outcome for each and answers when all are there. */
export class Submission {
  /** Settles with the outcomes in the order of submission, or fails when the mempool does. */
  readonly answer: Promise<readonly SubmitOutcome[]>;
  readonly #outcomes: (SubmitOutcome | undefined)[];
  #left: number;
  readonly #resolve: (outcomes: readonly SubmitOutcome[]) => void;
  readonly #reject: (reason: MempoolFailed) => void;

  constructor(count: number) {
    const { promise, resolve, reject } = Promise.withResolvers<readonly SubmitOutcome[]>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#outcomes = new Array<SubmitOutcome | undefined>(count);
    this.#left = count;
    if (count === 0) resolve([]);
  }

  /** Gives the outcome of one transaction, once; whether it was the last. */
  settle(index: number, outcome: SubmitOutcome): boolean {
    assert(index < this.#outcomes.length && this.#outcomes[index] === undefined, "a submitted transaction gets one outcome");
    this.#outcomes[index] = outcome;
    this.#left--;
    if (this.#left > 0) return false;
    this.#resolve(this.#outcomes.filter((settled) => settled !== undefined));
    return true;
  }

  /** Ends it without a verdict on what is not settled; harmless when all is. */
  fail(reason: MempoolFailed): void {
    this.#reject(reason);
  }
}
