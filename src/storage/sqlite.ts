import { SQLiteError, type Database as Sqlite } from "bun:sqlite";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";

/** Primary result codes of SQLite that concern the environment; all others are defects or the owner's constraints. */
const CODE_OF_RESULT: ReadonlyMap<number, readonly [StorageErrorCode, string]> = new Map([
  [5, ["busy", "the database is in use by another opener"]],
  [6, ["busy", "the database is in use by a statement of this opener"]],
  [8, ["denied", "the database cannot be written"]],
  [10, ["ioFailed", "the disk failed"]],
  [11, ["damaged", "the content of the database is not consistent"]],
  [13, ["diskFull", "there is no space left"]],
  [14, ["denied", "the database cannot be opened"]],
  [23, ["denied", "access to the database is refused"]],
  [26, ["damaged", "the file is not a database"]],
]);

/**
 * The StorageError that an error of SQLite stands for; undefined when it is none of the environment's.
 *
 * @see https://www.sqlite.org/rescode.html
 */
export function storageErrorOfSqlite(path: string, error: unknown): StorageError | undefined {
  if (!(error instanceof SQLiteError)) return undefined;
  const found = CODE_OF_RESULT.get(error.errno & 0xff);
  if (found === undefined) return undefined;
  return new StorageError(found[0], path, `${found[1]} (${error.code ?? error.errno}: ${error.message})`, { cause: error });
}

/** The first value of the first row of a query that is needed once; its statement does not outlive the call. */
export function askOnce(sqlite: Sqlite, sql: string): unknown {
  const statement = sqlite.prepare(sql);
  try {
    return statement.values()[0]?.[0];
  } finally {
    statement.finalize();
  }
}
