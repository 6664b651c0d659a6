import { assert, type Entropy } from "../kernel/index.ts";

/** Bounds of the pauses between tries, milliseconds. */
export type BackOffBounds = { readonly leastMs: number; readonly mostMs: number };

/**
 * Pauses that double up to a cap, each cut by a random part of up to a half, so that a thousand devices that lost one node
 * at the same moment do not come back at the same moment.
 */
export class BackOff {
  readonly #bounds: BackOffBounds;
  readonly #entropy: Entropy;
  #failures = 0;

  constructor(bounds: BackOffBounds, entropy: Entropy) {
    assert(bounds.leastMs > 0 && bounds.mostMs >= bounds.leastMs, "pauses have a length and a cap");
    this.#bounds = bounds;
    this.#entropy = entropy;
  }

  /** The pause before the next try, at least what the node asked for, milliseconds. */
  next(askedMs = 0): number {
    const { leastMs, mostMs } = this.#bounds;
    const whole = Math.min(mostMs, leastMs * 2 ** Math.min(this.#failures++, 30));
    const share = (this.#entropy.bytes(1)[0] ?? 0) / 256;
    return Math.max(whole * (1 - share / 2), Math.min(askedMs, mostMs));
  }

  /** After a success: the next failure waits briefly again. */
  reset(): void {
    this.#failures = 0;
  }
}
