import type { CancelTimer, Clock, Timers } from "../kernel/index.ts";
import { isStorageError, type StorageError } from "../storage/index.ts";
import { type Event, event } from "./event-schemas.ts";
import type { LaneLog } from "./lane-log.ts";
import type { LaneStore } from "./ports.ts";
import { sealRecord, tipOf } from "./record-chain.ts";
import type { LaneRecord } from "./types.ts";

/** How the `ops` lane spends the disk. */
export type OpsTuning = {
  /** An event is on its way to the disk at the latest this long after it happened. */
  readonly flushAfterMs: number;
  /** Events written in one commit. */
  readonly flushEventsMax: number;
  /** Events waiting while the disk is full; more are counted and dropped. */
  readonly waitingEventsMax: number;
  /** Bytes of pages in use above which the oldest records are let go. */
  readonly quotaBytes: number;
};

/** What a node uses: a commit every other second under load, and room for about 300,000 records. */
export const OPS_TUNING: OpsTuning = { flushAfterMs: 2_000, flushEventsMax: 256, waitingEventsMax: 1_024, quotaBytes: 64 * 1024 * 1024 };

/** While the disk is short of room, the lane keeps to this share of its quota, and what it lets go of is written over. */
const COMPACT_SHARE = 1 / 4;

/** Records that are let go at a time, which bounds how long a flush takes. */
const RELEASED_MAX = 2_048;

/** What writing the lane takes. */
export type OpsWriterParts = {
  readonly log: LaneLog;
  readonly store: LaneStore;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Told of records once they are written. */
  readonly onWritten: (records: readonly LaneRecord[]) => void;
  /** Told once when the disk failed for good; the lane then takes nothing more. */
  readonly onFailed: (error: StorageError) => void;
};

/** Writes the `ops` lane in bundles: its events are many and small, and losing the last second of them in a power cut is allowed. */
export class OpsWriter {
  readonly #parts: OpsWriterParts;
  readonly #tuning: OpsTuning;
  #waiting: { readonly timeMs: number; readonly event: Event }[] = [];
  #dropped = 0;
  #cancelTimer: CancelTimer | undefined;
  #hasFailed = false;
  #isCompact = false;

  constructor(parts: OpsWriterParts, tuning: OpsTuning = OPS_TUNING) {
    this.#parts = parts;
    this.#tuning = tuning;
  }

  /** Events dropped since the last record that says so. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether the disk is short of room, so that the lane keeps to a part of its quota; the next flushes see to it. */
  compact(isWanted: boolean): void {
    this.#isCompact = isWanted;
  }

  /** Takes an event; it becomes a record within `flushAfterMs`. */
  append(item: Event): void {
    if (this.#hasFailed || this.#waiting.length >= this.#tuning.waitingEventsMax) {
      this.#dropped++;
      return;
    }
    this.#waiting.push({ timeMs: this.#parts.clock.nowMs(), event: item });
    if (this.#waiting.length >= this.#tuning.flushEventsMax) this.flush();
    else this.#cancelTimer ??= this.#parts.timers.after(this.#tuning.flushAfterMs, () => this.flush());
  }

  /** Writes what waits. A full disk is tried again later; a failed one ends the lane. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#hasFailed || (this.#waiting.length === 0 && this.#dropped === 0)) return;
    try {
      this.#write();
      this.#releaseOldest();
    } catch (error) {
      if (!isStorageError(error)) throw error;
      if (error.code !== "diskFull") this.#fail(error);
      else this.#cancelTimer = this.#parts.timers.after(this.#tuning.flushAfterMs, () => this.flush());
    }
  }

  /** Stops the timer; what waits is written first. */
  close(): void {
    this.flush();
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#hasFailed = true;
  }

  #write(): void {
    const { log, store, clock } = this.#parts;
    const records: LaneRecord[] = [];
    let tip = log.tip;
    const seal = (timeMs: number, item: Event): void => {
      const record = sealRecord("ops", tip, timeMs, item);
      tip = tipOf(record);
      records.push(record);
    };
    for (const { timeMs, event: item } of this.#waiting) seal(timeMs, item);
    if (this.#dropped > 0) seal(clock.nowMs(), event("log.dropped", { count: this.#dropped, reason: "the disk was full" }));
    store.append(records);
    this.#waiting = [];
    this.#dropped = 0;
    this.#accept(records);
  }

  /** Over the quota the oldest records go, and one record says which; their last hash stays, so the chain still holds. */
  #releaseOldest(): void {
    const { log, store, clock } = this.#parts;
    const first = store.first();
    const quotaBytes = this.#tuning.quotaBytes * (this.#isCompact ? COMPACT_SHARE : 1);
    if (!first || store.usedBytes() <= quotaBytes) return;
    const { epoch, sequence } = first;
    const through = store.read({ epoch, sequence: sequence + RELEASED_MAX - 2 }, 1).records[0];
    // What the hash tree does not cover yet, and the newest record, stay.
    if (!through || (through.epoch === log.tip.epoch && through.sequence > Math.min(log.treeSize, log.tip.sequence - 1))) return;
    const payload = { epoch: through.epoch, from: sequence, to: through.sequence, tipHash: through.hash };
    const record = sealRecord("ops", log.tip, clock.nowMs(), event("log.gap", payload));
    store.release(tipOf(through), record);
    this.#accept([record]);
  }

  #accept(records: readonly LaneRecord[]): void {
    this.#parts.log.accept(records);
    this.#parts.onWritten(records);
  }

  #fail(error: StorageError): void {
    this.#hasFailed = true;
    this.#parts.onFailed(error);
  }
}
