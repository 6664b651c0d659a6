import { assert } from "../../src/kernel/index.ts";

/** How a window finds what a link carries. Bytes and milliseconds. */
const WINDOW_TUNING = {
  /** Where it begins on a new link: a second of 64 kbit/s. */
  firstBytes: 8_192,
  /** Never below: two seconds of 9.6 kbit/s. */
  leastBytes: 2_048,
  /** An acknowledgement that takes no longer than this lets it grow. */
  growWithinMs: 2_500,
  /** One that takes longer makes it smaller, to what would have come in this time. */
  shrinkBeyondMs: 5_000,
} as const;

/**
 * How many bytes of one kind may be on their way, found by how long acknowledgements take.
 *
 * The aggregator's credit says what it has room for, not what the link carries: without this a backlog would fill the
 * socket with minutes of bytes, a vital record would wait behind them, and acknowledgements would come after the link was
 * given up as silent.
 */
export class SendWindow {
  #bytes: number = WINDOW_TUNING.firstBytes;
  #shrunkAtMs = -Infinity;

  /** Its size now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * A batch was acknowledged.
   *
   * @param bytesInFlight on their way until now, this batch included: a window that nobody fills says nothing
   */
  onLanded(batch: { readonly bytes: number; readonly sentAtMs: number }, bytesInFlight: number, nowMs: number): void {
    const { leastBytes, growWithinMs, shrinkBeyondMs } = WINDOW_TUNING;
    const tookMs = nowMs - batch.sentAtMs;
    if (tookMs > shrinkBeyondMs) {
      if (batch.sentAtMs < this.#shrunkAtMs) return; // sent under the larger window, which is gone
      this.#bytes = Math.max(leastBytes, Math.floor((this.#bytes * shrinkBeyondMs) / (2 * tookMs)));
      this.#shrunkAtMs = nowMs;
    } else if (tookMs <= growWithinMs && bytesInFlight >= this.#bytes / 4) {
      this.#bytes = Math.min(this.#bytes + batch.bytes, 2 * this.#bytes, Number.MAX_SAFE_INTEGER);
    }
    assert(this.#bytes >= leastBytes, "a window lets something through");
  }

  /** Another link may carry more or less: begins anew. */
  onLinkLost(): void {
    this.#bytes = WINDOW_TUNING.firstBytes;
    this.#shrunkAtMs = -Infinity;
  }
}
