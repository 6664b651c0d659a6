import { Database as Sqlite } from "bun:sqlite";
import { assert } from "../kernel/index.ts";
import { currentBoot } from "./commit-mark.ts";
import { ensureDatabaseExists } from "./create-database.ts";
import { Database, type DatabaseBacking, type Migration } from "./database.ts";
import { databaseFiles } from "./database-files.ts";
import { DatabaseGuard } from "./database-guard.ts";
import { acquireFileLock } from "./file-lock.ts";
import type { FileSystem } from "./file-system.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { askOnce, storageErrorOfSqlite } from "./sqlite.ts";
import { StorageError } from "./storage-error.ts";

/** How a database is opened. */
export interface DatabaseOptions {
  readonly path: string;
  /** Marks the file as this kind of database: a positive 31-bit number, the same for ever. */
  readonly applicationId: number;
  /** The format: its version is their count. Only ever appended to. */
  readonly migrations: readonly Migration[];
  /** Later format versions that are known too, and are taken only by `raiseFormat`. Default 0. */
  readonly heldBackSteps?: number;
  /** `full`: a commit that returned survives a power cut; `normal`: it survives the end of the process, a checkpoint the power cut. */
  readonly durability: "full" | "normal";
  /** Whether to make the database when it does not exist; else that is `missing`. */
  readonly create: boolean;
  /** Memory for cached pages, in bytes; default 4 MiB. */
  readonly cacheBytesMax?: number;
  /** Bytes of the main file that are proved before it is used, at most; the rest is for `scrub`. Default 256 MiB. */
  readonly verifyBytesMax?: number;
  /** Length up to which the write-ahead log keeps its room after a checkpoint, to be written over. Default 16 MiB. */
  readonly logBytesKept?: number;
  /** Commits that another file remembers: fewer are damage. Default 0. */
  readonly expectCommitsAtLeast?: number;
  /** Size of a page, when the database is made; a power of two from 512 to 65536. Default 4096. */
  readonly pageBytes?: number;
  /** What reads and writes the files beside SQLite's own work; default this machine's disk. For tests of its failures. */
  readonly fs?: FileSystem;
}

const CACHE_BYTES_DEFAULT = 4 * 1024 * 1024;
const VERIFY_BYTES_DEFAULT = 256 * 1024 * 1024;
const LOG_BYTES_KEPT_DEFAULT = 16 * 1024 * 1024;
const PAGE_BYTES_DEFAULT = 4096;

/**
 * Opens a database, alone: a second opener is refused. Its files are proved first, see `DatabaseGuard`.
 *
 * @throws StorageError `missing`, `damaged` (naming the file), `busy`, `tooNew`, `denied`, `diskFull`, `ioFailed`
 */
export function openDatabase(options: DatabaseOptions): Database {
  const fs = options.fs ?? nodeFileSystem;
  const files = databaseFiles(options.path);
  const lock = acquireFileLock(files.lock);
  try {
    ensureDatabaseExists(fs, options.path, options.create, options.pageBytes ?? PAGE_BYTES_DEFAULT);
    const guard = DatabaseGuard.open(fs, files, {
      syncsEachCommit: options.durability === "full",
      boot: currentBoot(),
      verifyBytesMax: options.verifyBytesMax ?? VERIFY_BYTES_DEFAULT,
    });
    const logBytesKept = options.logBytesKept ?? LOG_BYTES_KEPT_DEFAULT;
    return connect(options, { guard, files, logBytesKept, onClosed: () => lock.release() });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** A database in memory with the same rules, for tests and simulation: what is committed is kept until it is closed. */
export function openMemoryDatabase(options: Pick<DatabaseOptions, "applicationId" | "migrations">): Database {
  const sqlite = new Sqlite(":memory:", { strict: true, safeIntegers: true });
  const database = new Database(":memory:", sqlite);
  prepareForUse(database, options);
  return database;
}

function connect(options: DatabaseOptions, backing: DatabaseBacking): Database {
  const { guard, files } = backing;
  const known = options.expectCommitsAtLeast ?? 0;
  if (guard.report.commitCount < known) {
    guard.close();
    throw new StorageError("damaged", options.path, `the database holds ${guard.report.commitCount} commits, ${known} were made`);
  }
  const sqlite = openConnection(options.path, guard);
  const database = new Database(options.path, sqlite, backing);
  try {
    database.attempt(() => setUp(sqlite, options));
    const { logFrameCount } = database;
    if (logFrameCount !== guard.frameCount) {
      throw new StorageError("damaged", files.wal, `SQLite finds ${logFrameCount} committed frames, ${guard.frameCount} are right`);
    }
    prepareForUse(database, options);
    if (guard.report.droppedBytes > 0 || guard.report.hasChangedLeftovers) database.emptyLog();
    else if (guard.isCheckpointOpen) database.checkpoint();
    return database;
  } catch (error) {
    database.abandon();
    throw error;
  }
}

function openConnection(path: string, guard: DatabaseGuard): Sqlite {
  try {
    return new Sqlite(path, { readwrite: true, strict: true, safeIntegers: true });
  } catch (error) {
    guard.close();
    throw storageErrorOfSqlite(path, error) ?? error;
  }
}

function setUp(sqlite: Sqlite, options: DatabaseOptions): void {
  sqlite.run("PRAGMA locking_mode = EXCLUSIVE");
  sqlite.run("PRAGMA busy_timeout = 0");
  sqlite.run("PRAGMA wal_autocheckpoint = 0");
  sqlite.run("PRAGMA synchronous = NORMAL"); // SQLite syncs what a checkpoint needs; commits are synced by the guard
  sqlite.run(`PRAGMA cache_size = -${Math.ceil((options.cacheBytesMax ?? CACHE_BYTES_DEFAULT) / 1024)}`);
  assert(askOnce(sqlite, "PRAGMA journal_mode") === "wal", "a database made here keeps a write-ahead log");
  askOnce(sqlite, "SELECT count(*) FROM sqlite_schema"); // reads the log now
}

/** Sets a connection's rules and brings its format forward; for this file and `MemoryDatabaseFile`. */
export function prepareForUse(database: Database, options: Pick<DatabaseOptions, "applicationId" | "migrations" | "heldBackSteps">): void {
  for (const pragma of ["foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"]) {
    database.run(`PRAGMA ${pragma}`);
  }
  migrate(database, options.applicationId, options.migrations, options.heldBackSteps ?? 0);
}

/** Brings the format forward, one atomic step a version; refuses a later one and a file of another kind. */
function migrate(database: Database, applicationId: number, migrations: readonly Migration[], heldBackSteps: number): void {
  assert(Number.isInteger(applicationId) && applicationId > 0 && applicationId < 2 ** 31, "an application id is a positive 31-bit number");
  const version = database.askNumber("PRAGMA user_version");
  const foundId = database.askNumber("PRAGMA application_id");
  if (version > 0 && foundId !== applicationId) {
    throw new StorageError("damaged", database.path, `the file is a database of another kind (${foundId}, not ${applicationId})`);
  }
  const known = migrations.length + heldBackSteps;
  if (version > known) {
    const sentence = `format version ${version} was written by a later release; this one knows up to ${known}`;
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

/**
 * Takes a held-back step of the format, durably when it returns; nothing when it is taken already. The release before
 * cannot open the database any more.
 *
 * @param version the format version that the step leads to, one above what the database has, or at most that
 */
export function raiseFormat(database: Database, version: number, migration: Migration): void {
  const found = database.askNumber("PRAGMA user_version");
  if (found >= version) return;
  assert(found === version - 1, "steps of a format are taken one by one");
  database.atomically(() => {
    migration(database);
    database.run(`PRAGMA user_version = ${version}`);
  });
}
