import type { CancelTimer, Clock, Timers } from "../../../../src/kernel/index.ts";

/** Turns of the microtask queue that promises of the code under test get between two timers. */
const TURNS = 20;

/** A clock that a test sets, with its timers. */
export class SetTime implements Clock, Timers {
  #nowMs = 1_000_000;
  #timers: { readonly atMs: number; readonly action: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): CancelTimer {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Lets time pass: fires what falls due in order, and lets promises run after each. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const [next] = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.action();
      await this.settle();
    }
    this.#nowMs = endMs;
  }

  /** Lets promises run without time passing. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
  }
}
