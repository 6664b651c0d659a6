import type { Clock } from "../kernel/index.ts";
import type { MempoolBounds } from "./bounds.ts";
import type { Refusal } from "./types.ts";

/** Free space is asked for at most this often, and a disk found full is tried again after this long. */
const RECHECK_MS = 1_000;
/** Space above the minimum that must come free before admission resumes, so that it does not flap. */
const RESUME_FACTOR = 1.25;

/**
 * Whether admission is closed for want of disk space: the log found the disk full, or less is free than the chain needs
 * to go on committing what was accepted. Opens again by itself when there is space.
 */
export class SpaceWatch {
  readonly #bounds: MempoolBounds;
  readonly #clock: Clock;
  readonly #freeSpaceBytes: () => number | undefined;
  #fullUntilMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isLow = false;
  #freeBytes = 0;

  /** @param freeSpaceBytes bytes that can still be written where the log lies; undefined when that cannot be known */
  constructor(bounds: MempoolBounds, clock: Clock, freeSpaceBytes: () => number | undefined) {
    this.#bounds = bounds;
    this.#clock = clock;
    this.#freeSpaceBytes = freeSpaceBytes;
  }

  /** Notes that a write found no space. */
  onDiskFull(): void {
    this.#fullUntilMs = this.#clock.monotonicMs() + RECHECK_MS;
  }

  /** Why nothing is admitted, or undefined when there is space. */
  findClosure(): Refusal | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#fullUntilMs) return diskFull("disk full: what was accepted is safe, nothing more fits");
    if (nowMs - this.#askedMs >= RECHECK_MS) this.#ask(nowMs);
    if (!this.#isLow) return undefined;
    return diskFull(`disk full: ${this.#freeBytes} bytes are free, ${this.#bounds.freeSpaceBytesMin} are kept for the chain`);
  }

  #ask(nowMs: number): void {
    this.#askedMs = nowMs;
    const freeBytes = this.#freeSpaceBytes();
    if (freeBytes === undefined) return;
    this.#freeBytes = freeBytes;
    const needed = this.#isLow ? RESUME_FACTOR * this.#bounds.freeSpaceBytesMin : this.#bounds.freeSpaceBytesMin;
    this.#isLow = freeBytes < needed;
  }
}

/** The refusal that a write without space gives. */
export function diskFull(detail: string): Refusal {
  return { code: "mempoolFull", detail, retryAfterMs: 5_000 };
}
