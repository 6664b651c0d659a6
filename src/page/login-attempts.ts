import type { Clock } from "../kernel/index.ts";

/** Failures in a row that cost nothing, and what each further one costs: twice the one before, up to the last. */
export const ATTEMPTS = {
  freeFailures: 5,
  firstWaitMs: 1_000,
  waitMaxMs: 300_000,
  addressesMax: 10_000,
  forgetAfterMs: 3_600_000,
} as const;

/** Slows down addresses that fail to log in. In memory, bounded; the address that failed longest ago is forgotten first. */
export class LoginAttempts {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { readonly count: number; readonly atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long an address must wait before it may try again, ms; 0 when it may now. */
  waitMs(address: string): number {
    const failed = this.#failures.get(address);
    if (!failed || failed.count < ATTEMPTS.freeFailures) return 0;
    const wait = Math.min(ATTEMPTS.waitMaxMs, ATTEMPTS.firstWaitMs * 2 ** Math.min(30, failed.count - ATTEMPTS.freeFailures));
    return Math.max(0, failed.atMs + wait - this.#clock.monotonicMs());
  }

  /** An attempt from there failed. */
  onFailure(address: string): void {
    const nowMs = this.#clock.monotonicMs();
    const before = this.#failures.get(address);
    const count = before && nowMs - before.atMs < ATTEMPTS.forgetAfterMs ? before.count : 0;
    this.#failures.delete(address); // to the end of the order
    this.#failures.set(address, { count: count + 1, atMs: nowMs });
    const [oldest] = this.#failures.size > ATTEMPTS.addressesMax ? this.#failures.keys() : [];
    if (oldest !== undefined) this.#failures.delete(oldest);
  }

  /** Somebody logged in from there. */
  onSuccess(address: string): void {
    this.#failures.delete(address);
  }
}
