/** So many in a window of time: somebody who floods the topic must not take the processor, nor fill the vital lane. */
export class Allowance {
  readonly #countMax: number;
  readonly #windowMs: number;
  #window = -1;
  #taken = 0;

  constructor(countMax: number, windowMs: number) {
    this.#countMax = countMax;
    this.#windowMs = windowMs;
  }

  /** Whether any is left of now. */
  isLeft(nowMs: number): boolean {
    const window = Math.floor(nowMs / this.#windowMs);
    if (window !== this.#window) this.#taken = 0;
    this.#window = window;
    return this.#taken < this.#countMax;
  }

  /** Takes one of now, if any is left. */
  take(nowMs: number): boolean {
    if (!this.isLeft(nowMs)) return false;
    this.#taken++;
    return true;
  }
}
