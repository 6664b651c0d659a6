/** What one peer may still use of something: refilled steadily up to a burst, and down to any debt. */
export class Budget {
  readonly #perSecond: number;
  readonly #burst: number;
  #level: number;
  #atMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#level = burst;
    this.#atMs = nowMs;
  }

  /** What is left; negative when more was spent than there was. */
  left(nowMs: number): number {
    this.#level = Math.min(this.#burst, this.#level + (Math.max(0, nowMs - this.#atMs) * this.#perSecond) / 1_000);
    this.#atMs = nowMs;
    return this.#level;
  }

  /** Spends, down to a debt. */
  spend(amount: number): void {
    this.#level -= amount;
  }

  /** Milliseconds until something is left. */
  waitMs(nowMs: number): number {
    const left = this.left(nowMs);
    return left > 0 ? 0 : Math.ceil(((1 - left) * 1_000) / this.#perSecond);
  }
}
