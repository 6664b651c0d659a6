import { localSigner, sha256 } from "../../../src/crypto/index.ts";
import {
  CheckpointTable,
  CRIT_MIGRATION,
  CritTable,
  compareCursors,
  EMPTY_LANE,
  EventLog,
  type EventLogParts,
  type LaneCursor,
  type LanePage,
  type LaneReader,
  LaneTable,
  OPS_APPLICATION_ID,
  OPS_MIGRATION,
  type StoredRecord,
} from "../../../src/events/index.ts";
import { type CancelTimer, type Clock, silentLog, type Timers, utf8 } from "../../../src/kernel/index.ts";
import { type Database, openMemoryDatabase } from "../../../src/storage/index.ts";

type ManualTimer = { readonly atMs: number; readonly action: () => void };

/** Time that a test moves: timers fire when it passes them. */
export class ManualTime implements Clock, Timers {
  #nowMs = 1_767_225_600_000;
  readonly #timers = new Set<ManualTimer>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): CancelTimer {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass, firing what is due in order. */
  pass(durationMs: number): void {
    const endMs = this.#nowMs + durationMs;
    for (;;) {
      const due = this.#findDue(endMs);
      if (!due) break;
      this.#timers.delete(due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.action();
    }
    this.#nowMs = endMs;
  }

  /** The first timer that is due; of several at one time the one that was set first. */
  #findDue(endMs: number): ManualTimer | undefined {
    let due: ManualTimer | undefined;
    for (const timer of this.#timers) if (timer.atMs <= endMs && (!due || timer.atMs < due.atMs)) due = timer;
    return due;
  }
}

/** A chain lane in an array, as blocks would keep it in their rows. */
export class ArrayLane implements LaneReader {
  readonly records: StoredRecord[] = [];

  last(): StoredRecord | undefined {
    return this.records.at(-1);
  }

  read(after: LaneCursor, limit: number): LanePage {
    const from = this.records.findIndex((record) => compareCursors(record, after) > 0);
    if (from < 0) return { previous: this.records.at(-1) ?? EMPTY_LANE, records: [] };
    return { previous: this.records[from - 1] ?? EMPTY_LANE, records: this.records.slice(from, from + limit) };
  }
}

/** The identity that signs checkpoints in tests. */
export const identity = localSigner(sha256(utf8("a node's identity")));

/** Databases and time of an event log that a test opens, closes and opens again. */
export class EventBench {
  readonly time = new ManualTime();
  readonly node: Database = openMemoryDatabase({ applicationId: 1, migrations: [CRIT_MIGRATION] });
  readonly opsDatabase: Database = openMemoryDatabase({ applicationId: OPS_APPLICATION_ID, migrations: [OPS_MIGRATION] });
  readonly chain = new ArrayLane();

  /** Opens the log. */
  open(change: Partial<EventLogParts> = {}): EventLog {
    return new EventLog({
      crit: new CritTable(this.node),
      ops: new LaneTable(this.opsDatabase, "ops"),
      chain: this.chain,
      checkpoints: new CheckpointTable(this.node, silentLog),
      identity,
      network: "0011aabb",
      node: "box-1",
      clock: this.time,
      timers: this.time,
      log: silentLog,
      ...change,
    });
  }
}
