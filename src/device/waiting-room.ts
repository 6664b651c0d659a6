import type { Timers } from "../kernel/index.ts";

/** Pauses that can be cut short all at once. */
export class WaitingRoom {
  readonly #timers: Timers;
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Whether nothing waits here any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves after this time or when everybody is woken; without a time only then. */
  wait(delayMs?: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = delayMs === undefined ? undefined : this.#timers.after(delayMs, () => done());
      const done = (): void => {
        if (!this.#waiting.delete(done)) return;
        cancel?.();
        resolve();
      };
      this.#waiting.add(done);
    });
  }

  /** Ends every pause. */
  wake(): void {
    for (const done of [...this.#waiting]) done();
  }

  /** Ends every pause and begins none any more. */
  close(): void {
    this.#isClosed = true;
    this.wake();
  }
}
