import { type Database, isStorageError } from "../../../src/storage/index.ts";
import { StoreUnavailable } from "../types.ts";
import type { SqlPort, SqlValue } from "./sql-port.ts";

/** Frames of the write-ahead log at which it is moved into the main file. */
const MOVED_FRAMES = 4_000;

type Statement = { all(...values: SqlValue[]): unknown[] };

/** One SQLite database as what is the same everywhere asks it. Texts are few and fixed: each is compiled once. */
export class SqlitePort implements SqlPort {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();

  constructor(database: Database) {
    this.#database = database;
  }

  async read<Row>(text: string, values: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.run(() => this.rows<Row>(text, values));
  }

  async change<Row>(...steps: readonly (readonly [text: string, values: readonly SqlValue[]])[]): Promise<readonly Row[]> {
    return this.atomically(() => steps.map(([text, values]) => this.rows<Row>(text, values)).at(-1) ?? []);
  }

  /** Runs reads with their failures as the port's own. */
  run<T>(action: () => T): T {
    return available(() => this.#database.attempt(action));
  }

  /** Runs one durable step. */
  atomically<T>(action: () => T): T {
    return available(() => {
      const value = this.#database.atomically(action);
      if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
      return value;
    });
  }

  /** Runs a statement within `run` or `atomically`. */
  rows<Row>(text: string, values: readonly SqlValue[]): readonly Row[] {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#database.prepare<unknown, SqlValue[]>(textOfSqlite(text));
      this.#statements.set(text, statement);
    }
    return statement.all(...values) as readonly Row[]; // a row is what its statement selects
  }
}

/** The same statement as SQLite writes it: `?1` for `$1`, and no types, which it takes from the values. */
function textOfSqlite(text: string): string {
  return text.replace(/::\w+/g, "").replace(/\$(\d+)/g, "?$1");
}

/** Translates a failure of storage into the port's own. */
function available<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw new StoreUnavailable(error.code === "diskFull" ? "full" : "failed", error.message, { cause: error });
  }
}
