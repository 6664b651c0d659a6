import type { SQLQueryBindings, Database as Sqlite } from "bun:sqlite";
import { renameSync } from "node:fs";
import { assert } from "../kernel/index.ts";
import type { DatabaseFiles } from "./database-files.ts";
import type { DatabaseGuard, DatabaseReport } from "./database-guard.ts";
import { forgetOpenDatabase, rememberOpenDatabase } from "./open-databases.ts";
import { askOnce, storageErrorOfSqlite } from "./sqlite.ts";
import { isStorageError, StorageError, translatingErrno } from "./storage-error.ts";

/** Moves a database forward by one format version; runs inside one atomic step with the raise of the version. */
export type Migration = (database: Database) => void;

/** What a database on disk stands on beside its connection. */
export interface DatabaseBacking {
  readonly guard: DatabaseGuard;
  readonly files: DatabaseFiles;
  /** Length above which the log's file is not kept to be written over. */
  readonly logBytesKept: number;
  /** Called when everything is closed. */
  readonly onClosed: () => void;
}

/**
 * Who simulates the disk under a database in memory: hears of every effect, may throw to fail it, and keeps the content
 * when the database lets go.
 */
export interface SimulatedBacking {
  /** A step is about to be committed; a throw undoes it. */
  readonly beforeCommit: () => void;
  /** A step was committed; a throw leaves it committed and unreported. */
  readonly afterCommit: () => void;
  /** Everything committed is made durable, as by a checkpoint. */
  readonly onSync: () => void;
}

const REPORT_IN_MEMORY: DatabaseReport = {
  commitCount: 0,
  droppedBytes: 0,
  hasChangedLeftovers: false,
  isMarkUnreadable: false,
  droppedSumsBytes: 0,
  provedPages: 0,
  unprovedPages: 0,
};

/**
 * One SQLite database, opened by `openDatabase`: the only way to it while it is open.
 *
 * Integers come back as bigint, a missing parameter is an error, foreign keys hold. After a failure of the disk, or signs
 * of damage, it refuses all further work: what the disk holds is then for the next opening to judge. It never moves a
 * page to the main file but in `checkpoint`, not even when the process ends.
 */
export class Database {
  /** The file; `:memory:` when there is none. */
  readonly path: string;
  readonly #sqlite: Sqlite;
  readonly #backing: DatabaseBacking | undefined;
  readonly #simulated: SimulatedBacking | undefined;
  readonly #statements: { finalize(): void }[] = [];
  #logState: { values(): unknown[][] } | undefined;
  #poison: StorageError | undefined;
  #isClosed = false;

  /** For `openDatabase`, `openMemoryDatabase` and `MemoryDatabaseFile`. */
  constructor(path: string, sqlite: Sqlite, backing?: DatabaseBacking, simulated?: SimulatedBacking) {
    this.path = path;
    this.#sqlite = sqlite;
    this.#backing = backing;
    this.#simulated = simulated;
    if (backing !== undefined) rememberOpenDatabase(this);
  }

  /** What opening found. */
  get report(): DatabaseReport {
    return this.#backing?.guard.report ?? REPORT_IN_MEMORY;
  }

  /** What opening found changed at rest and could live without, a sentence a file: nothing is lost, but somebody should know. */
  get notices(): readonly { readonly file: string; readonly detail: string }[] {
    if (this.#backing === undefined) return [];
    const { files, guard } = this.#backing;
    const mark = { file: files.mark, detail: "the commit mark is not what was written, or is gone; it is made again" };
    const leftovers = {
      file: files.wal,
      detail: "bytes that no commit needs any more are not what was written: torn by a power cut, or changed by the disk; they are removed",
    };
    const sums = {
      file: files.sums,
      detail:
        "bytes at the end of the page sums are not what was written: a write cut off, or changed by the disk; they proved nothing and were dropped",
    };
    const { isMarkUnreadable, hasChangedLeftovers, droppedSumsBytes } = guard.report;
    return [...(isMarkUnreadable ? [mark] : []), ...(hasChangedLeftovers ? [leftovers] : []), ...(droppedSumsBytes > 0 ? [sums] : [])];
  }

  /** Why the database refuses further work; undefined while it does not. */
  get poison(): StorageError | undefined {
    return this.#poison;
  }

  /** Commits since the database was made; never falls, unless commits are lost. Counted by what is on disk; 0 in memory. */
  get commitCount(): number {
    if (this.#backing === undefined) return 0;
    this.#noteCommits(this.#backing);
    return this.#backing.guard.commitCount;
  }

  /** Frames in the write-ahead log, of about a page each: what a checkpoint would move. 0 in memory. */
  get logFrameCount(): number {
    return this.#backing === undefined ? 0 : this.attempt(() => this.#readFrameCount());
  }

  /**
   * Compiles a statement that lives until the database closes: keep it as a field, do not compile in a loop. Outside
   * `atomically` it can only read: writing fails.
   *
   * @typeParam Row columns by name; integers are bigint, blobs Uint8Array
   */
  prepare<Row = unknown, Parameters extends SQLQueryBindings[] = SQLQueryBindings[]>(sql: string) {
    const statement = this.attempt(() => this.#sqlite.prepare<Row, Parameters>(sql));
    this.#statements.push(statement);
    return statement;
  }

  /** The first number of a query that is needed once, e.g. a PRAGMA. */
  askNumber(sql: string): number {
    return this.attempt(() => Number(askOnce(this.#sqlite, sql)));
  }

  /** Runs statements that take no parameters and give no rows, e.g. a migration's; outside `atomically`, each is a step of its own. */
  run(sql: string): void {
    if (this.#sqlite.inTransaction) {
      this.attempt(() => this.#sqlite.run(sql));
      return;
    }
    this.attempt(() => this.#writing(() => this.#sqlite.run(sql)));
    if (this.#backing !== undefined) this.#noteCommits(this.#backing);
  }

  /**
   * Runs the action as one step: all of its changes are durable when this returns (with `full` durability), or none when
   * it throws. Not nested, and never asynchronous: a promise is refused and rolled back.
   *
   * @throws StorageError `diskFull` (rolled back, try again later), `ioFailed` or `damaged` (refuses work from then on)
   */
  atomically<T>(action: () => T): T {
    return this.attempt(() => {
      assert(!this.#sqlite.inTransaction, "atomic steps are not nested");
      const value = this.#writing(() => this.#inTransaction(action));
      if (this.#backing !== undefined) this.#noteCommits(this.#backing);
      return value;
    });
  }

  /** The whole content as one file's bytes; for databases in memory. */
  image(): Uint8Array {
    assert(this.#backing === undefined, "the content of a database on disk lies in its files");
    return this.attempt(() => new Uint8Array(this.#sqlite.serialize()));
  }

  /** Runs reads (or one statement) with SQLite's errors of the environment turned into StorageError. */
  attempt<T>(action: () => T): T {
    this.#checkUsable();
    try {
      return action();
    } catch (error) {
      const failure = isStorageError(error) ? error : storageErrorOfSqlite(this.path, error);
      if (failure === undefined) throw error;
      if (failure.code === "ioFailed" || failure.code === "damaged") this.#poison ??= failure;
      throw failure;
    }
  }

  /**
   * Moves what was committed from the write-ahead log into the main file. The log's file keeps its room, to be written
   * over, unless that is large: a sync that changes no file length costs the disk a fraction. Takes time with the size of
   * the log; the owner chooses the moment. A full disk is no harm: the log keeps everything.
   *
   * @throws StorageError `busy` (a statement still reads), `diskFull`, `ioFailed`, `damaged` (the log is not what was
   *   committed: nothing was moved)
   */
  checkpoint(): void {
    this.#move(false);
  }

  /** As `checkpoint`, and gives the room of the log's file back. */
  emptyLog(): void {
    this.#move(true);
  }

  /**
   * Gives room in the main file that holds nothing back to the disk: everything kept is written anew, through the log like
   * any commit, and the file is cut. Takes time and room with what is kept; nothing else has a turn meanwhile.
   *
   * @throws StorageError as a commit and a checkpoint do
   */
  compact(): void {
    assert(!this.#sqlite.inTransaction, "the file is written anew outside atomic steps");
    this.run("VACUUM");
    this.emptyLog();
  }

  #move(emptiesLog: boolean): void {
    this.attempt(() => {
      assert(!this.#sqlite.inTransaction, "a checkpoint stands outside atomic steps");
      this.#simulated?.onSync();
      if (this.#backing === undefined) return;
      const { guard, logBytesKept } = this.#backing;
      const frameCount = this.#readFrameCount();
      const empties = emptiesLog || guard.logFileBytes > logBytesKept;
      if (frameCount === 0 && !empties) return;
      guard.beforeCheckpoint(frameCount, empties);
      const isBusy = askOnce(this.#sqlite, `PRAGMA wal_checkpoint(${empties ? "TRUNCATE" : "RESTART"})`) !== 0n;
      assert(!isBusy, "nobody else reads a database that is open");
      guard.afterCheckpoint();
    });
  }

  /**
   * Proves the main file against its sums, a megabyte a step, for the background; may run beside everything else.
   *
   * @throws StorageError `damaged`; the database refuses work from then on
   */
  *scrub(): Generator<void, void> {
    if (this.#backing === undefined) return;
    const steps = this.#backing.guard.scrub();
    while (this.attempt(() => steps.next().done) !== true) yield;
  }

  /**
   * Moves everything, empties the log and lets go. A database that refuses work only lets go, and so does one whose last
   * checkpoint fails.
   */
  close(): void {
    if (this.#isClosed) return;
    try {
      if (this.#poison === undefined) this.#move(true);
    } catch (error) {
      this.abandon();
      throw error;
    }
    if (this.#poison !== undefined) {
      this.abandon();
      return;
    }
    this.#closeConnection();
    this.#backing?.onClosed();
  }

  /**
   * Lets go at once, leaving the write-ahead log for the next opening. SQLite would checkpoint on its own when a connection
   * closes, without sums; it does not when the file is not where it was opened, so the file steps aside meanwhile.
   */
  abandon(): void {
    if (this.#isClosed) return;
    const files = this.#backing?.files;
    if (files !== undefined) translatingErrno("rename", files.main, () => renameSync(files.main, files.aside));
    try {
      this.#closeConnection();
    } finally {
      if (files !== undefined) translatingErrno("rename", files.aside, () => renameSync(files.aside, files.main));
    }
    this.#backing?.onClosed();
  }

  #closeConnection(): void {
    this.#isClosed = true;
    if (this.#sqlite.inTransaction) this.#sqlite.run("ROLLBACK");
    for (const statement of this.#statements) statement.finalize(); // SQLite keeps file and lock while one is alive
    if (this.#simulated === undefined) this.#sqlite.close(true);
    forgetOpenDatabase(this);
    this.#backing?.guard.close();
  }

  #inTransaction<T>(action: () => T): T {
    this.#sqlite.run("BEGIN IMMEDIATE");
    try {
      const value = action();
      assert(!isPromiseLike(value), "an atomic step ends before it returns: it gives no promise");
      this.#simulated?.beforeCommit();
      this.#sqlite.run("COMMIT");
      this.#simulated?.afterCommit();
      return value;
    } finally {
      if (this.#sqlite.inTransaction) this.#sqlite.run("ROLLBACK");
    }
  }

  /** Lets SQLite write while the action runs: at all other times it refuses, so nothing is written that nobody syncs. */
  #writing<T>(action: () => T): T {
    this.#sqlite.run("PRAGMA query_only = OFF");
    try {
      return action();
    } finally {
      this.#sqlite.run("PRAGMA query_only = ON");
    }
  }

  #noteCommits({ guard }: DatabaseBacking): void {
    this.attempt(() => guard.onCommitted(this.#readFrameCount()));
  }

  /** Committed frames that no checkpoint has moved; what a checkpoint has moved, SQLite writes over. */
  #readFrameCount(): number {
    this.#logState ??= this.prepare("PRAGMA wal_checkpoint(NOOP)");
    const [, frames, moved] = this.#logState.values()[0] ?? [];
    assert(typeof frames === "bigint" && typeof moved === "bigint", "SQLite counts the frames of its log");
    return frames === moved ? 0 : Number(frames);
  }

  #checkUsable(): void {
    assert(!this.#isClosed, "a closed database is not used");
    if (this.#poison !== undefined) {
      throw new StorageError("poisoned", this.path, `the database refuses work after: ${this.#poison.message}`, { cause: this.#poison });
    }
  }
}

function isPromiseLike(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
