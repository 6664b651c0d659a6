import { assert, type CancelTimer, type Clock, type Timers } from "../kernel/index.ts";
import type { MetricFamily, MetricSource } from "./metric-source.ts";

/** Upper bounds in seconds. */
const BOUNDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2] as const;
const WINDOW = 512;

/**
 * How late a timer fires is how long the event loop was busy. Samples at a steady interval; keeps a histogram since the
 * start and the last 512 samples for a quantile of now.
 */
export class EventLoopLag implements MetricSource {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #intervalMs: number;
  readonly #counts: number[] = BOUNDS.map(() => 0);
  readonly #recentMs = new Float64Array(WINDOW);
  #samples = 0;
  #sumMs = 0;
  #cancel: CancelTimer | undefined;

  /** @param intervalMs between samples: short enough to see a stall, long enough to cost nothing when idle */
  constructor(clock: Clock, timers: Timers, intervalMs = 200) {
    assert(intervalMs > 0, "lag is sampled at an interval");
    this.#clock = clock;
    this.#timers = timers;
    this.#intervalMs = intervalMs;
  }

  /** Begins to sample. */
  start(): void {
    assert(this.#cancel === undefined, "lag sampling is started once");
    this.#arm();
  }

  /** Stops sampling. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** The lag in milliseconds that this share (0..1) of the recent samples does not exceed; undefined before the first. */
  recentQuantileMs(share: number): number | undefined {
    assert(share >= 0 && share <= 1, "a quantile is a share between 0 and 1");
    const known = Math.min(this.#samples, WINDOW);
    if (known === 0) return undefined;
    const sorted = this.#recentMs.slice(0, known).sort();
    return sorted[Math.min(known - 1, Math.floor(share * known))];
  }

  /** `bizra_event_loop_lag_seconds`. */
  collect(): readonly MetricFamily[] {
    const buckets = BOUNDS.map((bound, i) => ({ bound, count: this.#counts[i] ?? 0 }));
    const help = "How much later than asked a timer fired: the time the event loop was busy.";
    const sample = { buckets, sum: this.#sumMs / 1000, count: this.#samples };
    return [{ name: "bizra_event_loop_lag_seconds", help, kind: "histogram", samples: [sample] }];
  }

  #arm(): void {
    const due = this.#clock.monotonicMs() + this.#intervalMs;
    this.#cancel = this.#timers.after(this.#intervalMs, () => {
      this.#observe(Math.max(0, this.#clock.monotonicMs() - due));
      this.#arm();
    });
  }

  #observe(lagMs: number): void {
    this.#recentMs[this.#samples % WINDOW] = lagMs;
    this.#samples++;
    this.#sumMs += lagMs;
    for (const [i, bound] of BOUNDS.entries()) if (lagMs <= bound * 1000) this.#counts[i] = (this.#counts[i] ?? 0) + 1;
  }
}
