import type { Clock } from "../kernel/index.ts";
import type { MempoolBounds } from "./bounds.ts";
import type { Refusal } from "./types.ts";

/** Free space is asked for at most this often, and a disk found full is tried again after this long. */
const RECHECK_MS = 1_000;
/** Space above the minimum that must come free before admission resumes, so that it does not flap. */
const RESUME_FACTOR = 1.25;

/**
 * What is closed for want of disk space. Below the minimum nothing new is admitted, so that the chain can go on committing
 * what was accepted, here and elsewhere; below the reserve, or where a write found no space, nothing of others is taken in
 * either: what is left is for the votes that were promised and for stopping in good order. Opens again by itself.
 */
export class SpaceWatch {
  readonly #bounds: MempoolBounds;
  readonly #clock: Clock;
  readonly #freeSpaceBytes: () => number | undefined;
  #fullUntilMs = Number.NEGATIVE_INFINITY;
  #askedMs = Number.NEGATIVE_INFINITY;
  #isLow = false;
  #isSpent = false;
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
    this.#look(nowMs);
    if (!this.#isLow) return undefined;
    return diskFull(`disk full: ${this.#freeBytes} bytes are free, ${this.#bounds.freeSpaceBytesMin} are kept for the chain`);
  }

  /** Whether there is no space for the batches of others either. */
  get isSpent(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#fullUntilMs) return true;
    this.#look(nowMs);
    return this.#isSpent;
  }

  #look(nowMs: number): void {
    if (nowMs - this.#askedMs < RECHECK_MS) return;
    this.#askedMs = nowMs;
    const freeBytes = this.#freeSpaceBytes();
    if (freeBytes === undefined) return;
    const { freeSpaceBytesMin, freeSpaceBytesReserve } = this.#bounds;
    this.#freeBytes = freeBytes;
    this.#isLow = freeBytes < (this.#isLow ? RESUME_FACTOR : 1) * freeSpaceBytesMin;
    this.#isSpent = freeBytes < (this.#isSpent ? RESUME_FACTOR : 1) * freeSpaceBytesReserve;
  }
}

/** The refusal that a write without space gives. */
export function diskFull(detail: string): Refusal {
  return { code: "mempoolFull", detail, retryAfterMs: 5_000 };
}
