import { Database as Sqlite } from "bun:sqlite";
import { assert } from "../kernel/index.ts";
import { Database, type Migration } from "./database.ts";
import { storageErrorOfSqlite } from "./sqlite-error.ts";
import { StorageError } from "./storage-error.ts";

/** How a database is opened. */
export interface DatabaseOptions {
  readonly path: string;
  /** Marks the file as this kind of database: a positive 31-bit number, the same for ever. */
  readonly applicationId: number;
  /** The format: its version is their count. Only ever appended to. */
  readonly migrations: readonly Migration[];
  /** `full`: a commit that returned survives a power cut; `normal`: it survives the end of the process, a checkpoint the power cut. */
  readonly durability: "full" | "normal";
  /** Whether to make the database when it does not exist; else that is `missing`. */
  readonly create: boolean;
  /** Memory for cached pages, in bytes; default 4 MiB. */
  readonly cacheBytesMax?: number;
}

const CACHE_BYTES_DEFAULT = 4 * 1024 * 1024;

/**
 * Opens a database, alone: a second opener is refused.
 *
 * @throws StorageError `missing`, `damaged`, `busy`, `tooNew`, `denied`, `diskFull`, `ioFailed`
 */
export function openDatabase(options: DatabaseOptions): Database {
  const sqlite = translating(options.path, () => {
    const opened = new Sqlite(options.path, { create: options.create, readwrite: true, strict: true, safeIntegers: true });
    opened.run("PRAGMA locking_mode = EXCLUSIVE");
    opened.run("PRAGMA busy_timeout = 0");
    opened.run("PRAGMA journal_mode = WAL");
    opened.run(`PRAGMA synchronous = ${options.durability === "full" ? "FULL" : "NORMAL"}`);
    opened.run("PRAGMA wal_autocheckpoint = 0");
    return opened;
  });
  return prepareForUse(options.path, sqlite, options);
}

/** A database in memory with the same rules, for tests and simulation: what is committed is kept until it is closed. */
export function openMemoryDatabase(options: Pick<DatabaseOptions, "applicationId" | "migrations">): Database {
  return prepareForUse(":memory:", new Sqlite(":memory:", { strict: true, safeIntegers: true }), options);
}

function prepareForUse(
  path: string,
  sqlite: Sqlite,
  options: Pick<DatabaseOptions, "applicationId" | "migrations" | "cacheBytesMax">,
): Database {
  translating(path, () => {
    sqlite.run("PRAGMA foreign_keys = ON");
    sqlite.run("PRAGMA trusted_schema = OFF");
    sqlite.run("PRAGMA cell_size_check = ON");
    sqlite.run("PRAGMA temp_store = MEMORY");
    sqlite.run(`PRAGMA cache_size = -${Math.ceil((options.cacheBytesMax ?? CACHE_BYTES_DEFAULT) / 1024)}`);
  });
  const database = new Database(path, sqlite);
  try {
    migrate(database, options.applicationId, options.migrations);
  } catch (error) {
    database.close();
    throw error;
  }
  return database;
}

/** Brings the format forward, one atomic step a version; refuses a later one and a file of another kind. */
function migrate(database: Database, applicationId: number, migrations: readonly Migration[]): void {
  assert(Number.isInteger(applicationId) && applicationId > 0 && applicationId < 2 ** 31, "an application id is a positive 31-bit number");
  const version = readNumber(database, "PRAGMA user_version");
  const foundId = readNumber(database, "PRAGMA application_id");
  if (version > 0 && foundId !== applicationId) {
    throw new StorageError("damaged", database.path, `the file is a database of another kind (${foundId}, not ${applicationId})`);
  }
  if (version > migrations.length) {
    const sentence = `format version ${version} was written by a later release; this one knows up to ${migrations.length}`;
    throw new StorageError("tooNew", database.path, sentence);
  }
  for (const [at, migration] of migrations.entries()) {
    if (at < version) continue;
    database.atomically(() => {
      migration(database);
      database.run(`PRAGMA application_id = ${applicationId}`);
      database.run(`PRAGMA user_version = ${at + 1}`);
    });
  }
}

function readNumber(database: Database, sql: string): number {
  const row = database.prepare<Record<string, bigint>>(sql).get();
  return Number(Object.values(row ?? {})[0]);
}

function translating<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw storageErrorOfSqlite(path, error) ?? error;
  }
}
