import { assert, type Clock, type Log } from "../kernel/index.ts";
import type { CheckpointMark, CheckpointWriter } from "./checkpoint.ts";
import { type CheckpointPolicy, isCheckpointDue } from "./checkpoint-policy.ts";
import type { StateTree } from "./tree.ts";

/** Milliseconds after a failed checkpoint before the next is tried: a full disk does not get better by trying. */
export const CHECKPOINT_RETRY_MS = 60_000;

/** What checkpoints have done since the start: running totals, for monitoring to read. */
export type CheckpointCounters = {
  written: number;
  failed: number;
  sizeBytes: number;
  /** Milliseconds that the last one took, most of it in the background. */
  lastMs: number;
};

/** What writing checkpoints takes. `onDefect` is called with what must never happen; the process has to end. */
export type CheckpointParts = {
  readonly writer: CheckpointWriter;
  readonly policy: CheckpointPolicy;
  readonly clock: Clock;
  readonly log: Log;
  readonly onDefect: (error: unknown) => void;
};

/**
 * Decides when the state is written and has it written, one checkpoint at a time. Blocks go on being folded while one
 * is written: it holds the state of the moment it began, because buckets are never changed, only replaced.
 */
export class Checkpointer {
  readonly counters: CheckpointCounters = { written: 0, failed: 0, sizeBytes: 0, lastMs: 0 };
  readonly #tree: StateTree;
  readonly #parts: CheckpointParts;
  #durable: CheckpointMark | undefined;
  #running: Promise<boolean> | undefined;
  #changedEntries = 0;
  #blocks = 0;
  #sinceMs: number;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  /** @param durable the checkpoint that the state was loaded from, if it was */
  constructor(tree: StateTree, parts: CheckpointParts, durable: CheckpointMark | undefined) {
    this.#tree = tree;
    this.#parts = parts;
    this.#durable = durable;
    this.#sinceMs = parts.clock.monotonicMs();
  }

  /** Height of the last checkpoint that is durable, or undefined when there is none: blocks up to it are not needed to start. */
  get durableHeight(): number | undefined {
    return this.#durable?.height;
  }

  /** Counts a folded block. */
  onFolded(changedEntries: number): void {
    this.#changedEntries += changedEntries;
    this.#blocks += 1;
  }

  /** Begins a checkpoint when one is due and none is running; says whether it did. */
  startIfDue(mark: () => CheckpointMark): boolean {
    if (this.#running !== undefined) return false;
    const nowMs = this.#parts.clock.monotonicMs();
    const progress = { changedEntries: this.#changedEntries, blocks: this.#blocks, elapsedMs: nowMs - this.#sinceMs };
    if (nowMs < this.#notBeforeMs || !isCheckpointDue({ ...progress, entryCount: this.#tree.entryCount }, this.#parts.policy)) return false;
    void this.#start(mark()); // settles by itself: a failure is counted and logged there
    return true;
  }

  /**
   * Writes a checkpoint now, after the one that may be running, unless the state is the one written last; false when it
   * could not be written.
   */
  async writeNow(mark: () => CheckpointMark): Promise<boolean> {
    await this.settled();
    if (this.#durable?.height === mark().height) return true;
    return this.#running ?? this.#start(mark());
  }

  /** Resolves when no checkpoint is running. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #start(mark: CheckpointMark): Promise<boolean> {
    assert(this.#running === undefined, "one checkpoint is written at a time");
    assert(this.#durable === undefined || mark.height >= this.#durable.height, "checkpoints follow the chain upward");
    const written = { changedEntries: this.#changedEntries, blocks: this.#blocks };
    this.#changedEntries = 0;
    this.#blocks = 0;
    this.#sinceMs = this.#parts.clock.monotonicMs();
    this.#running = this.#write(mark).then((isWritten) => {
      this.#running = undefined;
      if (!isWritten) {
        this.#changedEntries += written.changedEntries;
        this.#blocks += written.blocks;
      }
      return isWritten;
    });
    return this.#running;
  }

  async #write(mark: CheckpointMark): Promise<boolean> {
    const { writer, clock, log, onDefect } = this.#parts;
    const startedMs = clock.monotonicMs();
    try {
      const outcome = await writer.write({ mark, buckets: this.#tree.snapshot() });
      this.counters.lastMs = clock.monotonicMs() - startedMs;
      if (outcome.ok) {
        this.#durable = mark;
        this.counters.written += 1;
        this.counters.sizeBytes += outcome.value;
        log.info("state.checkpoint.written", { height: mark.height, sizeBytes: outcome.value, ms: Math.round(this.counters.lastMs) });
        return true;
      }
      this.counters.failed += 1;
      this.#notBeforeMs = clock.monotonicMs() + CHECKPOINT_RETRY_MS;
      log.warn("state.checkpoint.failed", { height: mark.height, code: outcome.error.code, detail: outcome.error.detail });
    } catch (error) {
      onDefect(error); // a writer rejects only for a defect: nothing is swallowed, the owner ends the process
    }
    return false;
  }
}
