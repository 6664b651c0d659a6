import type { CancelTimer, Clock, Timers } from "../kernel/index.ts";

/** The time a request has; a handler that waits for finality asks for more. */
export class Deadline {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #expiry = Promise.withResolvers<"expired">();
  #dueMs: number;
  #cancel: CancelTimer;

  constructor(clock: Clock, timers: Timers, allowedMs: number) {
    this.#clock = clock;
    this.#timers = timers;
    this.#dueMs = clock.monotonicMs() + allowedMs;
    this.#cancel = timers.after(allowedMs, () => this.#expiry.resolve("expired"));
  }

  /** Resolves when the time is up. */
  get expired(): Promise<"expired"> {
    return this.#expiry.promise;
  }

  /** Grants this much more. */
  extend(extraMs: number): void {
    this.#cancel();
    this.#dueMs += extraMs;
    this.#cancel = this.#timers.after(Math.max(0, this.#dueMs - this.#clock.monotonicMs()), () => this.#expiry.resolve("expired"));
  }

  /** Stops the clock: the request is answered. */
  stop(): void {
    this.#cancel();
  }
}
