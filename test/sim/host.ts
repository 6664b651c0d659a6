import type { Clock, Timers } from "../../src/kernel/index.ts";
import type { Schedule } from "./schedule.ts";

/** The machine under one box: its clocks and its speed, which faults bend. */
export class SimHost {
  /** Milliseconds the wall clock is off. */
  wallOffsetMs = 0;
  /** How much faster than real the wall clock runs; -0.1 is a tenth slower. */
  wallDrift = 0;
  /** Whether the wall clock stands still. */
  isWallFrozen = false;
  /** Milliseconds that taking one input costs. */
  inputCostMs = 0;
  /** First epoch whose blocks the program on it does not know; only of boxes over a modelled chain. */
  unknownFromEpoch = Number.POSITIVE_INFINITY;
  /** Longest delay that the box asked of a timer, for the oracle. */
  longestTimerMs = 0;
  readonly #schedule: Schedule;
  readonly #startMs: number;
  #resumesAtMs = 0;
  #frozenAtMs = 0;

  constructor(schedule: Schedule, startMs: number) {
    this.#schedule = schedule;
    this.#startMs = startMs;
  }

  /** Wall clock as bent, monotonic clock true: Linux steers the latter by at most 0.05 %. */
  readonly clock: Clock = {
    nowMs: () =>
      Math.floor(this.#startMs + this.wallOffsetMs + (this.isWallFrozen ? this.#frozenAtMs : this.#schedule.nowMs) * (1 + this.wallDrift)),
    monotonicMs: () => this.#schedule.nowMs,
  };

  /** Stops the wall clock where it stands. */
  freezeWall(): void {
    this.#frozenAtMs = this.#schedule.nowMs;
    this.isWallFrozen = true;
  }

  /** The box does nothing for a while, as one that swaps or whose virtual machine is moved; inputs and timers wait. */
  pause(forMs: number): void {
    this.#resumesAtMs = Math.max(this.#resumesAtMs, this.#schedule.nowMs + forMs);
  }

  /** Clocks right, full speed. */
  heal(): void {
    this.wallOffsetMs = 0;
    this.wallDrift = 0;
    this.isWallFrozen = false;
    this.inputCostMs = 0;
    this.#resumesAtMs = 0;
  }

  /** Runs an action as soon as the box gets to it; actions keep their order. */
  take(action: () => void): void {
    const { nowMs } = this.#schedule;
    if (this.inputCostMs === 0 && this.#resumesAtMs <= nowMs) {
      action();
      return;
    }
    this.#resumesAtMs = Math.max(this.#resumesAtMs, nowMs) + this.inputCostMs;
    this.#schedule.after(this.#resumesAtMs - nowMs, action);
  }

  /** Runs an action after a while of machine time, whether the box is paused or not. */
  after(delayMs: number, action: () => void): void {
    this.#schedule.after(delayMs, action);
  }

  /** Timers that die with `isAlive` and wait while the box is paused. */
  timers(isAlive: () => boolean, onFire: () => void): Timers {
    return {
      after: (delayMs, action) => {
        this.longestTimerMs = Math.max(this.longestTimerMs, delayMs);
        let isCancelled = false;
        const cancel = this.#schedule.after(delayMs, () =>
          this.take(() => {
            if (isCancelled || !isAlive()) return;
            onFire();
            action();
          }),
        );
        return () => {
          isCancelled = true;
          cancel();
        };
      },
    };
  }
}
