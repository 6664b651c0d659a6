import { Database as Sqlite } from "bun:sqlite";
import { statSync } from "node:fs";
import { nodeFileSystem } from "./node-file-system.ts";
import { storageErrorOfSqlite } from "./sqlite.ts";
import { isStorageError, StorageError } from "./storage-error.ts";

/** Something held by one process alone; the system takes it back when the process ends, however it ends. */
export interface FileLock {
  /** Gives it back; harmless when given back already. */
  release(): void;
}

/**
 * Takes a lock by a file that stays empty: SQLite's own lock on it, which is a POSIX lock that dies with the process, so
 * nothing is stale after kill -9. Nothing else may open the file: closing it anywhere in this process would give the lock back.
 *
 * @throws StorageError `busy`, naming the process that holds it where the system tells; `denied`, `missing` (no such folder)
 */
export function acquireFileLock(path: string): FileLock {
  if (nodeFileSystem.stat(path) === undefined) makeLockFile(path);
  const sqlite = new Sqlite(path, { readwrite: true });
  try {
    sqlite.run("PRAGMA busy_timeout = 0");
    sqlite.run("PRAGMA journal_mode = MEMORY");
    sqlite.run("BEGIN EXCLUSIVE");
  } catch (error) {
    sqlite.close();
    const failure = storageErrorOfSqlite(path, error);
    if (failure?.code === "busy") throw new StorageError("busy", path, `in use by ${holderOf(path)}`, { cause: error });
    throw failure ?? error;
  }
  let isHeld = true;
  return {
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      sqlite.run("ROLLBACK");
      sqlite.close();
    },
  };
}

function makeLockFile(path: string): void {
  try {
    nodeFileSystem.open(path, "createNew").close();
  } catch (error) {
    if (!isStorageError(error, "exists")) throw error; // another process was quicker, which is as good
  }
}

/** The holder as /proc/locks knows it; elsewhere just "another process". */
function holderOf(path: string): string {
  const inode = String(statSync(path).ino);
  try {
    const locks = new TextDecoder().decode(nodeFileSystem.readFile("/proc/locks"));
    for (const line of locks.split("\n")) {
      const [, , , mode, process, file] = line.trim().split(/\s+/);
      if (mode === "WRITE" && file?.split(":")[2] === inode) return `process ${process}`;
    }
  } catch (error) {
    if (!isStorageError(error)) throw error; // no such file on this system
  }
  return "another process";
}
