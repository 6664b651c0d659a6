import { assert } from "../kernel/index.ts";

/** What a peer may use: so much a second, and so much at once. */
export type Rate = { readonly perSecond: number; readonly burst: number };

/**
 * A token bucket that is paid after the fact: what came is taken, and a payer in debt waits until it has paid. So a
 * message larger than the burst still passes, and the average holds.
 */
export class Budget {
  readonly #rate: Rate;
  #tokens: number;
  #atMs: number;

  constructor(rate: Rate, nowMs: number) {
    assert(rate.perSecond > 0 && rate.burst > 0, "a budget refills");
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#atMs = nowMs;
  }

  /** Pays; milliseconds to wait before the next use, 0 when none. */
  spend(amount: number, nowMs: number): number {
    assert(amount >= 0, "nobody is paid for using a budget");
    this.#refill(nowMs);
    this.#tokens -= amount;
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#rate.perSecond) * 1_000);
  }

  /** Whether nothing is owed. */
  isSolvent(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= 0;
  }

  #refill(nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (elapsedMs * this.#rate.perSecond) / 1_000);
  }
}
