import type { SQLQueryBindings, Database as Sqlite } from "bun:sqlite";
import { assert } from "../kernel/index.ts";
import { storageErrorOfSqlite } from "./sqlite-error.ts";
import { StorageError } from "./storage-error.ts";

/** Moves a database forward by one format version; runs inside one atomic step with the raise of the version. */
export type Migration = (database: Database) => void;

/**
 * One SQLite database, opened by `openDatabase`: the only way to it while it is open.
 *
 * Integers come back as bigint, a missing parameter is an error, foreign keys hold. After a failure of the disk, or signs
 * of damage, it refuses all further work: what the disk holds is then for the next opening to judge.
 */
export class Database {
  /** The file; `:memory:` when there is none. */
  readonly path: string;
  readonly #sqlite: Sqlite;
  readonly #statements: { finalize(): void }[] = [];
  #poison: StorageError | undefined;
  #isClosed = false;

  /** For `openDatabase`. */
  constructor(path: string, sqlite: Sqlite) {
    this.path = path;
    this.#sqlite = sqlite;
  }

  /** Why the database refuses further work; undefined while it does not. */
  get poison(): StorageError | undefined {
    return this.#poison;
  }

  /**
   * Compiles a statement that lives until the database closes: keep it as a field, do not compile in a loop.
   *
   * @typeParam Row columns by name; integers are bigint, blobs Uint8Array
   */
  prepare<Row = unknown, Parameters extends SQLQueryBindings[] = SQLQueryBindings[]>(sql: string) {
    const statement = this.attempt(() => this.#sqlite.prepare<Row, Parameters>(sql));
    this.#statements.push(statement);
    return statement;
  }

  /** Runs statements that take no parameters and give no rows, e.g. a migration's. */
  run(sql: string): void {
    this.attempt(() => this.#sqlite.run(sql));
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
      this.#sqlite.run("BEGIN IMMEDIATE");
      try {
        const value = action();
        assert(!(value instanceof Promise), "an atomic step ends before it returns: it gives no promise");
        this.#sqlite.run("COMMIT");
        return value;
      } finally {
        if (this.#sqlite.inTransaction) this.#sqlite.run("ROLLBACK");
      }
    });
  }

  /** Runs reads (or one statement) with SQLite's errors of the environment turned into StorageError. */
  attempt<T>(action: () => T): T {
    this.#checkUsable();
    try {
      return action();
    } catch (error) {
      const failure = storageErrorOfSqlite(this.path, error);
      if (failure === undefined) throw error;
      if (failure.code === "ioFailed" || failure.code === "damaged") this.#poison ??= failure;
      throw failure;
    }
  }

  /** Moves what was committed from the write-ahead log into the main file and empties the log. */
  checkpoint(): void {
    this.attempt(() => this.#sqlite.run("PRAGMA wal_checkpoint(TRUNCATE)"));
  }

  /** Checkpoints and lets go. */
  close(): void {
    if (this.#isClosed) return;
    if (this.#poison === undefined) this.checkpoint();
    this.#isClosed = true;
    for (const statement of this.#statements) statement.finalize(); // SQLite keeps file and lock while one is alive
    this.#sqlite.close();
  }

  #checkUsable(): void {
    assert(!this.#isClosed, "a closed database is not used");
    if (this.#poison !== undefined) {
      throw new StorageError("poisoned", this.path, `the database refuses work after: ${this.#poison.message}`, { cause: this.#poison });
    }
  }
}
