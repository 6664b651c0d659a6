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

/** A checked batch of another validator that waits for its sync. */
export type ArrivedBatch = { readonly step: FlushStep; readonly sizeBytes: number };

/** Others' batches made durable by one sync, at most. */
const ARRIVED_BATCHES_MAX = 64;
const ARRIVED_SIZE_BYTES_MAX = 2 * 1024 * 1024;

/** Records taken into the tables before other work has its turn. */
const TURN_SIZE_BYTES = 256 * 1024;

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
  #arrived: ArrivedBatch[] = [];
  #arrivedSizeBytes = 0;
  #arrivedSinceMs = 0;
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

  /** Takes a transaction just admitted, or one of another's batch that was submitted here; `poke` after the last of a round. */
  add(entry: PoolEntry): void {
    assert(entry.place === "open" || entry.waiters !== undefined, "only what no record of ours holds waits for one");
    if (this.#open.length === 0) this.#openSinceMs = this.#parts.clock.monotonicMs();
    this.#open.push(entry);
    this.#openSizeBytes += entry.encoded.length;
    this.#arrivals++;
  }

  /** Takes a checked batch of another validator; voided at once when nothing is written any more. */
  addArrived(batch: ArrivedBatch): void {
    if (this.#isFailed || this.#isClosed) {
      batch.step.onVoid();
      return;
    }
    if (this.#arrived.length === 0) this.#arrivedSinceMs = this.#parts.clock.monotonicMs();
    this.#arrived.push(batch);
    this.#arrivedSizeBytes += batch.sizeBytes;
    this.#arrivals++;
    this.poke();
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
    for (const { step } of this.#arrived.splice(0)) step.onVoid();
  }

  async #drain(): Promise<void> {
    for (;;) {
      if (this.#isFlushing) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
      const { state } = this.#parts;
      const isDone = this.#open.length + this.#arrived.length + state.released.size + state.unsavedEnds.length === 0;
      if (this.#isFailed || isDone) return;
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
    const openMs = this.#open.length === 0 ? Number.POSITIVE_INFINITY : this.#lingerMs(this.#openSizeBytes) - (nowMs - this.#openSinceMs);
    const arrivedMs =
      this.#arrived.length === 0 ? Number.POSITIVE_INFINITY : this.#lingerMs(this.#arrivedSizeBytes) - (nowMs - this.#arrivedSinceMs);
    const leftMs = Math.min(dueMs, openMs, arrivedMs);
    return leftMs === Number.POSITIVE_INFINITY ? undefined : leftMs;
  }

  /** How long what waits, so many bytes of it, lingers for company. */
  #lingerMs(waitingSizeBytes: number): number {
    return lingerMs({ syncMs: this.#syncMs, arrivalsPerMs: this.#arrivalsPerMs, waitingSizeBytes }, this.#parts.bounds);
  }

  /** Others' batches must not cut ours short: what waits here shares their sync once half its lingering is over. */
  #isOpenReady(nowMs: number): boolean {
    return this.#arrived.length === 0 || 2 * (nowMs - this.#openSinceMs) >= this.#lingerMs(this.#openSizeBytes);
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
    const { batches, foreignBatches } = state.counters;
    const durable = written.filter(({ location }) => location.record < durableRecords);
    let heldUpBytes = 0;
    for (const { step, location, sizeBytes } of durable) {
      step.onDurable(location, sizeBytes);
      heldUpBytes += sizeBytes;
      if (heldUpBytes < TURN_SIZE_BYTES) continue;
      heldUpBytes = 0;
      await new Promise<void>((resolve) => void this.#parts.timers.after(0, resolve)); // other work has its turn
    }
    if (durable.length < steps.length) {
      state.counters.diskFull++;
      this.#pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
      for (const step of steps.slice(durable.length)) step.onVoid();
      const open = this.#open.splice(0).filter(isWaiting);
      this.#parts.onDiskFull(open); // what arrived meanwhile need not wait to hear the same
      this.#openSizeBytes = 0;
    }
    assert(state.replayMark() <= log.nextRecord, "replay starts inside the log");
    if (state.counters.batches > batches || state.counters.foreignBatches > foreignBatches) this.#parts.onBatch();
  }

  #plan(): FlushStep[] {
    const { state, bounds, clock } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#arrivalsPerMs = follow(this.#arrivalsPerMs, this.#arrivals / Math.max(1, nowMs - this.#lastFlushMs));
    this.#arrivals = 0;
    this.#lastFlushMs = nowMs;
    const takesOpen = this.#isOpenReady(nowMs);
    const due = takesOpen ? this.#open.filter((entry) => !this.#isStale(entry)) : [];
    const fresh = due.filter(({ place }) => place === "open");
    const adopted = due.filter(({ place }) => place !== "open");
    const left = takesOpen ? [] : this.#open;
    const released = [...state.released];
    state.released.clear();
    const plan = planFlush(fresh, released, bounds.flushBatchesMax, { height: state.height, nowMs });
    for (const account of plan.cut) state.released.add(account);
    this.#open = takesOpen ? [...plan.rest] : left.filter(isWaiting);
    this.#openSizeBytes = this.#open.reduce((sum, { encoded }) => sum + encoded.length, 0);
    if (takesOpen) this.#openSinceMs = nowMs;
    return [...flushSteps(plan, adopted, this.#parts), ...this.#takeArrived(nowMs)];
  }

  /** Behind our own records, so that none of their transactions is on its way into one. */
  #takeArrived(nowMs: number): FlushStep[] {
    let sizeBytes = 0;
    let count = 0;
    for (const batch of this.#arrived) {
      if (count >= ARRIVED_BATCHES_MAX || sizeBytes >= ARRIVED_SIZE_BYTES_MAX) break;
      sizeBytes += batch.sizeBytes;
      count++;
    }
    const taken = this.#arrived.slice(0, count);
    this.#arrived = this.#arrived.slice(count);
    this.#arrivedSizeBytes -= sizeBytes;
    this.#arrivedSinceMs = nowMs;
    return taken.map(({ step }) => step);
  }

  /** The chain may have moved since it was admitted. */
  #isStale(entry: PoolEntry): boolean {
    if (entry.place !== "open" && entry.place !== "gone") return false;
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
    for (const { step } of this.#arrived.splice(0)) step.onVoid();
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}

/** Whether somebody waits for a record of it: a flush for an account's kept ones may have taken it along. */
function isWaiting({ place, waiters }: PoolEntry): boolean {
  return place === "open" || place === "gone" || (waiters !== undefined && place !== "flushing");
}
