import { z } from "zod";
import type { Lane, LaneCursor } from "../../src/events/index.ts";
import { assert, type Log } from "../../src/kernel/index.ts";
import { type Database, isStorageError, type Migration } from "../../src/storage/index.ts";
import { isMetricName } from "./metrics.ts";
import type { Report } from "./report.ts";

/** Marks a file as a telemetry.db: "BZte". */
export const TELEMETRY_APPLICATION_ID = 0x42_5a_74_65;

/** Bytes of a page: rows are small, and a commit then costs little. */
export const TELEMETRY_PAGE_BYTES = 1_024;

/** Name of the number that is the latest end of a command whose id was forgotten. */
const FORGOTTEN = "commandsForgotten";

/** Frames of the write-ahead log at which it is moved into the main file. */
const MOVED_FRAMES = 1_000;

/** Tables of telemetry.db, in one step a version. */
export const TELEMETRY_MIGRATIONS: readonly Migration[] = [
  (database) => {
    database.run(
      "CREATE TABLE telemetry_sample (queue TEXT, number INTEGER, time INTEGER NOT NULL, omitted INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (queue, number)) STRICT, WITHOUT ROWID",
    );
    database.run(
      "CREATE TABLE telemetry_cursor (broker TEXT, lane TEXT, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (broker, lane)) STRICT, WITHOUT ROWID",
    );
    database.run("CREATE TABLE telemetry_number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID");
    database.run("CREATE TABLE telemetry_command (id BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID");
  },
];

/** A report that waits: its number in the queue, and how many before it were thinned out since the one kept before. */
export type KeptReport = { readonly number: number; readonly report: Report; readonly omitted: number };

/** Reports that must not be lost, oldest first. */
export interface SampleQueue {
  /** Reports waiting. */
  readonly length: number;
  /**
   * Adds reports; over the bound every second one of the older half is dropped, and the one after it says so. What the disk
   * does not take is dropped, and the next that it takes says so.
   */
  put(reports: readonly Report[]): void;
  /** The oldest, at most so many, by the time they were taken. */
  peek(limit: number): readonly KeptReport[];
  /** Forgets these: they arrived. False when the disk did not take that: they are still there. */
  remove(kept: readonly KeptReport[]): boolean;
}

type SampleRow = { readonly number: bigint; readonly omitted: bigint; readonly body: string };

const bodySchema = z.object({
  timeMs: z.number(),
  isHeartbeat: z.boolean(),
  values: z.record(z.string(), z.union([z.number(), z.boolean(), z.string(), z.null()])),
});

/**
 * What telemetry keeps on disk: queues of reports, how far each broker has the events, connection numbers, ids of commands.
 *
 * A full disk makes it forget what it was asked to keep, and a failed one ends its work; both are logged, and neither
 * stops a node, whose duties do not need it.
 */
export class TelemetryStore {
  readonly #database: Database;
  readonly #log: Log;
  readonly #statements;
  #hasFailed = false;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
    const one = <Row, P extends (string | number | Uint8Array)[]>(sql: string) => database.prepare<Row, P>(sql);
    this.#statements = {
      lastNumber: one<{ last: bigint | null; count: bigint }, [string]>(
        "SELECT max(number) AS last, count(*) AS count FROM telemetry_sample WHERE queue = ?",
      ),
      put: one<never, [string, number, number, number, string]>(
        "INSERT INTO telemetry_sample (queue, number, time, omitted, body) VALUES (?, ?, ?, ?, ?)",
      ),
      peek: one<SampleRow, [string, number]>(
        "SELECT number, omitted, body FROM telemetry_sample WHERE queue = ? ORDER BY time, number LIMIT ?",
      ),
      remove: one<never, [string, number]>("DELETE FROM telemetry_sample WHERE queue = ? AND number = ?"),
      omit: one<never, [number, string, number]>("UPDATE telemetry_sample SET omitted = omitted + ? WHERE queue = ? AND number = ?"),
      cursor: one<{ epoch: bigint; sequence: bigint }, [string, string]>(
        "SELECT epoch, sequence FROM telemetry_cursor WHERE broker = ? AND lane = ?",
      ),
      putCursor: one<never, [string, string, number, number]>(
        "INSERT OR REPLACE INTO telemetry_cursor (broker, lane, epoch, sequence) VALUES (?, ?, ?, ?)",
      ),
      number: one<{ value: bigint }, [string]>("SELECT value FROM telemetry_number WHERE name = ?"),
      putNumber: one<never, [string, number]>("INSERT OR REPLACE INTO telemetry_number (name, value) VALUES (?, ?)"),
      command: one<{ until: bigint }, [Uint8Array]>("SELECT until FROM telemetry_command WHERE id = ?"),
      commandCount: one<{ count: bigint }, []>("SELECT count(*) AS count FROM telemetry_command"),
      putCommand: one<never, [Uint8Array, number]>("INSERT INTO telemetry_command (id, until) VALUES (?, ?)"),
      lastForgotten: one<{ until: bigint | null }, [number]>("SELECT max(until) AS until FROM telemetry_command WHERE until < ?"),
      forgetCommands: one<never, [number]>("DELETE FROM telemetry_command WHERE until < ?"),
    };
  }

  /**
   * The queue of this name, which bounds itself.
   *
   * @param countMax reports above which the older half is thinned; at least 4
   */
  queue(name: string, countMax: number): SampleQueue {
    assert(countMax >= 4, "a queue that is thinned has an older half");
    const statements = this.#statements;
    const write = (action: () => void): boolean => this.#write(action);
    const found = this.#database.attempt(() => statements.lastNumber.get(name));
    let next = Number(found?.last ?? 0n) + 1;
    let length = Number(found?.count ?? 0n);
    let lost = 0;
    const peek = (limit: number): readonly KeptReport[] =>
      this.#read(() => statements.peek.all(name, limit), []).map(({ number, omitted, body }) => ({
        number: Number(number),
        omitted: Number(omitted),
        report: reportOf(body),
      }));
    const thin = (): void => {
      const older = peek(Math.floor(length / 2));
      for (let i = 0; i + 1 < older.length; i += 2) {
        const [dropped, after] = [older[i], older[i + 1]];
        if (dropped === undefined || after === undefined) continue;
        statements.remove.run(name, dropped.number);
        statements.omit.run(1 + dropped.omitted, name, after.number);
        length--;
      }
    };
    return {
      get length() {
        return length;
      },
      put(reports) {
        if (reports.length === 0) return;
        const before = length;
        const isKept = write(() => {
          for (const [i, report] of reports.entries()) {
            statements.put.run(name, next++, report.timeMs, i === 0 ? lost : 0, JSON.stringify(report));
            length++;
          }
          if (length > countMax) thin();
        });
        lost = isKept ? 0 : lost + reports.length;
        if (!isKept) length = before;
      },
      peek,
      remove(kept) {
        if (kept.length === 0) return true;
        const isGone = write(() => {
          for (const { number } of kept) statements.remove.run(name, number);
        });
        if (isGone) length -= kept.length;
        assert(length >= 0, "a queue holds what was put and not removed");
        return isGone;
      },
    };
  }

  /** How far a broker has a lane; undefined before the first word. */
  cursor(broker: string, lane: Lane): LaneCursor | undefined {
    const row = this.#read(() => this.#statements.cursor.get(broker, lane), null);
    return row ? { epoch: Number(row.epoch), sequence: Number(row.sequence) } : undefined;
  }

  /** Keeps how far a broker has some lanes, in one commit; false when the disk did not take it. */
  putCursors(broker: string, cursors: ReadonlyMap<Lane, LaneCursor>): boolean {
    if (cursors.size === 0) return true;
    return this.#write(() => {
      for (const [lane, { epoch, sequence }] of cursors) this.#statements.putCursor.run(broker, lane, epoch, sequence);
    });
  }

  /** A number that is kept by name. */
  number(name: string): number | undefined {
    const row = this.#read(() => this.#statements.number.get(name), null);
    return row ? Number(row.value) : undefined;
  }

  /** Keeps a number, where the disk takes it. */
  putNumber(name: string, value: number): void {
    this.#write(() => this.#statements.putNumber.run(name, value));
  }

  /**
   * Remembers the id of a command for as long as it could be shown again, durably before this returns. One whose time ends
   * before that of an id which was forgotten counts as known: the clock was set back, and nobody can tell any more.
   *
   * @param nowMs ids whose time is over by then are forgotten first
   * @returns `new`, `known`, or `full` when so many are remembered that no more are taken, or the disk takes none
   */
  rememberCommand(id: Uint8Array, untilMs: number, nowMs: number, countMax: number): "new" | "known" | "full" {
    let memory: "new" | "known" | "full" = "full";
    const isKept = this.#write(() => {
      const last = this.#statements.lastForgotten.get(nowMs)?.until ?? null;
      const before = Number(this.#statements.number.get(FORGOTTEN)?.value ?? 0n);
      const forgotten = Math.max(before, Number(last ?? 0n));
      if (forgotten > before) this.#statements.putNumber.run(FORGOTTEN, forgotten);
      if (last !== null) this.#statements.forgetCommands.run(nowMs);
      if (untilMs <= forgotten || this.#statements.command.get(id) !== null) memory = "known";
      else if (Number(this.#statements.commandCount.get()?.count ?? 0n) < countMax) {
        this.#statements.putCommand.run(id, untilMs);
        memory = "new";
      }
    });
    return isKept ? memory : "full";
  }

  /** One atomic step; false, and nothing changed, when the disk did not take it. */
  #write(action: () => void): boolean {
    if (this.#hasFailed) return false;
    try {
      this.#database.atomically(action);
      if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
      return true;
    } catch (error) {
      this.#onFault(error);
      return false;
    }
  }

  #read<T>(action: () => T, otherwise: T): T {
    if (this.#hasFailed) return otherwise;
    try {
      return this.#database.attempt(action);
    } catch (error) {
      this.#onFault(error);
      return otherwise;
    }
  }

  #onFault(error: unknown): void {
    if (!isStorageError(error)) throw error;
    if (error.code !== "diskFull") this.#hasFailed = true;
    this.#log.error("telemetry.storage", { file: error.path, code: error.code, error: error.message });
  }
}

function reportOf(body: string): Report {
  const { timeMs, isHeartbeat, values } = bodySchema.parse(JSON.parse(body));
  return { timeMs, isHeartbeat, values: Object.fromEntries(Object.entries(values).filter(([name]) => isMetricName(name))) };
}
