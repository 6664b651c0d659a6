import { type CancelTimer, type Clock, type Timers, toHex } from "../kernel/index.ts";
import type { MempoolState } from "./mempool-state.ts";
import type { PendingBatch } from "./pool-entry.ts";

/** What deciding on offers needs. */
export type OffersParts = {
  readonly state: MempoolState;
  readonly clock: Clock;
  readonly timers: Timers;
  /** How long a batch waits for enough others to be known to hold it, in milliseconds. */
  readonly offerAfterMs: number;
  /** Whether there is nobody else whose holding a batch could be waited for. */
  readonly isAlone: () => boolean;
  /** Called when a batch was offered that was not. */
  readonly onOffered: () => void;
};

/**
 * Which pending batches blocks get: those that weight Q is known to hold, so that nobody has to fetch before voting. What
 * is known of others may be wrong or late, and they can fetch; so after a while a batch is offered whoever holds it.
 *
 * @see consensus R2
 */
export class Offers {
  readonly #parts: OffersParts;
  #cancelTimer: CancelTimer | undefined;
  #isStopped = false;

  constructor(parts: OffersParts) {
    this.#parts = parts;
  }

  /** Takes in a batch that was just listed. */
  onListed(batch: PendingBatch): void {
    batch.isOffered = this.#parts.isAlone();
    if (!batch.isOffered) this.#arm();
  }

  /** Takes in every listed batch, after a replay. */
  start(): void {
    for (const batch of this.#parts.state.pending.values()) this.onListed(batch);
  }

  /** Offers nothing by itself any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  /** Offers a batch; harmless when it is not pending. */
  offer(digest: Uint8Array): void {
    const { state, onOffered } = this.#parts;
    const batch = state.pending.get(toHex(digest));
    if (batch === undefined || batch.isOffered) return;
    batch.isOffered = true;
    state.version++;
    onOffered();
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#isStopped) return;
    const { state, timers, clock, offerAfterMs } = this.#parts;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { isOffered, sinceMs } of state.pending.values()) if (!isOffered) firstMs = Math.min(firstMs, sinceMs);
    if (firstMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = timers.after(Math.max(0, firstMs + offerAfterMs - clock.monotonicMs()), () => this.#onTimer());
  }

  #onTimer(): void {
    this.#cancelTimer = undefined;
    const { state, clock, offerAfterMs } = this.#parts;
    const latestMs = clock.monotonicMs() - offerAfterMs;
    const due = [...state.pending.values()].filter(({ isOffered, sinceMs }) => !isOffered && sinceMs <= latestMs);
    for (const { batch } of due) this.offer(batch.digest);
    this.#arm();
  }
}
