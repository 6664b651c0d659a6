/** So long nobody must have the next block before the chain here is given up: archives have to be heard of and dialled. */
const OUT_OF_REACH_MS = 30_000;
/** Words further apart than the longest pause between two questions for blocks are not one time without them. */
const GAP_MS = 20_000;
/** So long what others have yet to take from here, or only show, keeps the chain from being given up: they may never do it. */
const HELD_BACK_MS = 600_000;

/** What peers say of the lowest block that they serve, and which of them are worth belief. */
export type ReachWord = {
  readonly lowestHeight: number | undefined;
  readonly isValidator: boolean;
  /** Its address or key is in the configuration. */
  readonly isNamed: boolean;
};

/** Whether a validator or a named peer says that it lacks a block: strangers alone say nothing that a chain is given up for. */
export function isLackBelieved(words: readonly ReachWord[], height: number): boolean {
  return words.some((word) => (word.isValidator || word.isNamed) && word.lowestHeight !== undefined && word.lowestHeight > height);
}

/**
 * How long nobody who is connected has had the next block. What follows from it ends the process and costs the blocks that
 * are here, so it takes one time without a break, and somebody's word who is more than a stranger.
 */
export class OutOfReach {
  #sinceMs: number | undefined;
  #lastMs = 0;

  /**
   * Nobody has it now; whether that has been so for long enough.
   *
   * @param isHeldBack whether somebody still has to pass on records of the blocks that would go, or has shown the one that is missing
   */
  note(nowMs: number, isBelieved: boolean, isHeldBack = false): boolean {
    if (!isBelieved) {
      this.end();
      return false;
    }
    if (this.#sinceMs === undefined || nowMs - this.#lastMs > GAP_MS) this.#sinceMs = nowMs;
    this.#lastMs = nowMs;
    return nowMs - this.#sinceMs >= (isHeldBack ? HELD_BACK_MS : OUT_OF_REACH_MS);
  }

  /** The chain went on. */
  end(): void {
    this.#sinceMs = undefined;
  }
}
