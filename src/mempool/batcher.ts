import { assert, type CancelTimer, type Clock, type Timers } from "../kernel/index.ts";
import { type FlushParts, type FlushStep, flushSteps, isFlushOverdue } from "./flush.ts";
import { planFlush } from "./flush-plan.ts";
import { follow, lingerMs } from "./linger.ts";
import type { PoolEntry } from "./pool-entry.ts";
import type { BatchLocation } from "./types.ts";

/** What the batcher needs. */
export type BatcherParts = FlushParts & {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Called with an open transaction that executed or can no longer execute, right before it would be written. */
  readonly onStale: (entry: PoolEntry) => void;
  /** Called when a batch became durable. */
  readonly onBatch: () => void;
  /** Called when the log failed: nothing may be answered any more. */
  readonly onFailed: (error: unknown) => void;
};

/** Rest, for what nobody waits for an answer to, after a flush that found the disk full or nothing to write. */
const PAUSE_MS = 1_000;

type Written = { readonly step: FlushStep; readonly location: BatchLocation; readonly sizeBytes: number };

/**
 * Group commit: seals what was admitted into batches and makes them durable, one sync at a time. What arrives while a
 * sync runs forms the next group, so the rate of syncs follows the disk and the load, and a transaction waits for at most
 * two of them and the linger.
 *
 * Invariant: a transaction is called accepted only after the sync of its record returned; after a failed sync nothing is.
 */
export class Batcher {
  readonly #parts: BatcherParts;
  #open: PoolEntry[] = [];
  #openSizeBytes = 0;
  #openSinceMs = 0;
  #isFlushing = false;
  #isFailed = false;
  #isClosed = false;
  #cancelTimer: CancelTimer | undefined;
  #syncMs = 1;
  #arrivals = 0;
  #arrivalsPerMs = 0;
  #lastFlushMs: number;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #whenIdle: (() => void)[] = [];

  constructor(parts: BatcherParts) {
    this.#parts = parts;
    this.#lastFlushMs = parts.clock.monotonicMs();
  }

  /** Admitted transactions that no record holds yet. */
  get openCount(): number {
    return this.#open.length;
  }

  /** How long a sync takes, an average that follows; milliseconds. */
  get syncMs(): number {
    return this.#syncMs;
  }

  /** Takes a transaction just admitted; `poke` after the last of a round. */
  add(entry: PoolEntry): void {
    assert(entry.place === "open", "only what no record holds waits for one");
    if (this.#open.length === 0) this.#openSinceMs = this.#parts.clock.monotonicMs();
    this.#open.push(entry);
    this.#openSizeBytes += entry.encoded.length;
    this.#arrivals++;
  }

  /** Flushes now or later, whatever is due; harmless when nothing is. */
  poke(): void {
    if (this.#isFlushing || this.#isFailed || this.#isClosed) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const leftMs = this.#dueInMs();
    if (leftMs === undefined) return;
    if (leftMs <= 0) this.#start();
    else this.#cancelTimer = this.#parts.timers.after(leftMs, () => this.#onTimer());
  }

  /** Flushes everything, and never again: resolves when all is durable or refused, or the log failed. */
  async close(): Promise<void> {
    await this.#drain();
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  async #drain(): Promise<void> {
    for (;;) {
      if (this.#isFlushing) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
      const { state } = this.#parts;
      if (this.#isFailed || (this.#open.length === 0 && state.released.size === 0 && state.unsavedEnds.length === 0)) return;
      const before = state.nextRecord;
      this.#start();
      if (this.#isFlushing) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
      if (state.nextRecord === before) return; // a full disk: nothing more can be saved
    }
  }

  /** When the next flush is due, in milliseconds from now; undefined when nothing waits for one. */
  #dueInMs(): number | undefined {
    const { state, bounds, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    const isDue = state.released.size > 0 || isFlushOverdue(state, bounds);
    const dueMs = isDue ? this.#pausedUntilMs - nowMs : Number.POSITIVE_INFINITY;
    if (this.#open.length === 0) return isDue ? dueMs : undefined;
    const input = { syncMs: this.#syncMs, arrivalsPerMs: this.#arrivalsPerMs, waitingSizeBytes: this.#openSizeBytes };
    return Math.min(dueMs, lingerMs(input, bounds) - (nowMs - this.#openSinceMs));
  }

  #onTimer(): void {
    this.#cancelTimer = undefined;
    if (!this.#isFlushing && !this.#isFailed) this.#start();
  }

  #start(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#isFlushing = true;
    this.#flush().then(
      () => this.#onFlushed(),
      (error: unknown) => this.#onFailed(error), // whatever it is: the fate of what was being written is open
    );
  }

  async #flush(): Promise<void> {
    const { state, log, clock } = this.#parts;
    const steps = this.#plan();
    if (steps.length === 0) {
      this.#pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
      return;
    }
    const written: Written[] = [];
    for (const step of steps) {
      const record = step.encode();
      const location = log.append(record);
      if (location === undefined) break;
      written.push({ step, location, sizeBytes: record.length });
    }
    const startedMs = clock.monotonicMs();
    const durableRecords = await log.sync();
    const tookMs = clock.monotonicMs() - startedMs;
    this.#syncMs = follow(this.#syncMs, tookMs);
    state.counters.syncs++;
    state.counters.syncMs += tookMs;
    const batches = state.counters.batches;
    const durable = written.filter(({ location }) => location.record < durableRecords);
    for (const { step, location, sizeBytes } of durable) step.onDurable(location, sizeBytes);
    if (durable.length < steps.length) {
      state.counters.diskFull++;
      this.#pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
      for (const step of steps.slice(durable.length)) step.onVoid();
      this.#parts.onDiskFull(this.#open.splice(0)); // what arrived meanwhile need not wait to hear the same
      this.#openSizeBytes = 0;
    }
    assert(state.replayMark() <= log.nextRecord, "replay starts inside the log");
    if (state.counters.batches > batches) this.#parts.onBatch();
  }

  #plan(): FlushStep[] {
    const { state, bounds, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#arrivalsPerMs = follow(this.#arrivalsPerMs, this.#arrivals / Math.max(1, nowMs - this.#lastFlushMs));
    this.#arrivals = 0;
    this.#lastFlushMs = nowMs;
    const fresh = this.#open.filter((entry) => !this.#isStale(entry));
    const released = [...state.released];
    state.released.clear();
    const plan = planFlush(fresh, released, bounds.flushBatchesMax, { height: state.height, nowMs });
    for (const account of plan.cut) state.released.add(account);
    this.#open = [...plan.rest];
    this.#openSizeBytes = plan.rest.reduce((sum, { encoded }) => sum + encoded.length, 0);
    this.#openSinceMs = nowMs;
    return flushSteps(plan, this.#parts);
  }

  /** The chain may have moved since it was admitted. */
  #isStale(entry: PoolEntry): boolean {
    const isGone = entry.place === "gone"; // it executed from another validator's batch
    if (!isGone && entry.nonce >= entry.account.nextNonce && entry.validUntil > this.#parts.state.height) return false;
    this.#parts.onStale(entry);
    return true;
  }

  #onFlushed(): void {
    this.#isFlushing = false;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
    this.poke();
  }

  #onFailed(error: unknown): void {
    this.#isFlushing = false;
    this.#isFailed = true;
    this.#parts.onFailed(error);
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
