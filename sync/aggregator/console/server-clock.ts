import type { Clock } from "../../../src/kernel/index.ts";

/**
 * The aggregator's time in a page: what an answer said, and what has gone by since. A monotonic clock may stand still
 * while a computer sleeps and a wall clock may be set back, so the one that went further counts: an age is rather shown
 * too old than too young.
 */
export class ServerClock {
  readonly #clock: Clock;
  #heard: { readonly serverMs: number; readonly wallMs: number; readonly monotonicMs: number } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An answer that was asked for at `askedAtMs` (monotonic) told the time: it cannot be younger than that. */
  hear(serverMs: number, askedAtMs: number): void {
    const monotonicMs = this.#clock.monotonicMs();
    this.#heard = { serverMs, wallMs: this.#clock.nowMs() - (monotonicMs - askedAtMs), monotonicMs: askedAtMs };
  }

  /** Milliseconds since the last answer was asked for; undefined before the first. */
  silenceMs(): number | undefined {
    if (!this.#heard) return undefined;
    const { wallMs, monotonicMs } = this.#heard;
    return Math.max(0, this.#clock.nowMs() - wallMs, this.#clock.monotonicMs() - monotonicMs);
  }

  /** The aggregator's wall clock now; undefined before the first answer. */
  nowMs(): number | undefined {
    const silence = this.silenceMs();
    return this.#heard && silence !== undefined ? this.#heard.serverMs + silence : undefined;
  }
}
