import { Database as Sqlite } from "bun:sqlite";
import { sha256 } from "../crypto/index.ts";
import { utf8 } from "../kernel/index.ts";
import { CommitMark } from "./commit-mark.ts";
import { type DatabaseFiles, databaseFiles } from "./database-files.ts";
import { type FileSystem, parentOf } from "./file-system.ts";
import { LOG_ID_BYTES } from "./log-format.ts";
import { PageSums } from "./page-sums.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Makes an empty database with its sums, unless it exists; a crash on the way leaves nothing that is taken for one.
 *
 * Everything is built in a folder aside; the main file is put in place last, so it is there with all that belongs to it.
 *
 * @throws StorageError `missing` when there is none and it may not be made; `damaged` when only the main file is gone
 */
export function ensureDatabaseExists(fs: FileSystem, path: string, mayCreate: boolean, pageBytes: number): void {
  const files = databaseFiles(path);
  if (fs.stat(files.aside) !== undefined && fs.stat(files.main) === undefined) {
    fs.rename(files.aside, files.main); // the process died while a connection closed without a checkpoint
    fs.syncDirectory(parentOf(path));
  }
  if (fs.stat(files.main) !== undefined) {
    removeTree(fs, files.building);
    return;
  }
  const isInterrupted = fs.stat(files.building) !== undefined;
  if (!isInterrupted && (fs.stat(files.sums) !== undefined || fs.stat(files.wal) !== undefined)) {
    throw new StorageError("damaged", path, "the main file is gone, what belongs to it is there");
  }
  if (!mayCreate) throw new StorageError("missing", path, "there is no such database");
  for (const stale of [files.building, files.sums, files.mark]) removeTree(fs, stale);
  build(fs, files, pageBytes);
}

function build(fs: FileSystem, files: DatabaseFiles, pageBytes: number): void {
  fs.makeDirectory(files.building);
  const built = databaseFiles(`${files.building}/built`);
  fs.open(built.main, "createNew").close();
  const sqlite = new Sqlite(built.main, { readwrite: true });
  try {
    sqlite.run("PRAGMA synchronous = OFF");
    sqlite.run(`PRAGMA page_size = ${pageBytes}`);
    sqlite.run("PRAGMA journal_mode = WAL");
  } finally {
    sqlite.close();
  }
  const logId = sha256(utf8(`bizra page sums of ${files.main}`)).subarray(0, LOG_ID_BYTES);
  const unsynced = withoutSyncs(fs);
  PageSums.create(unsynced, built.sums, logId, pageBytes, fs.readFile(built.main));
  CommitMark.create(unsynced, built.mark);
  syncTree(fs, files.building);
  fs.rename(built.sums, files.sums);
  fs.rename(built.mark, files.mark);
  fs.syncDirectory(parentOf(files.main));
  fs.rename(built.main, files.main);
  fs.syncDirectory(parentOf(files.main));
  removeTree(fs, files.building);
}

/** The same disk, leaving it to `syncTree` to make everything durable at once. */
function withoutSyncs(fs: FileSystem): FileSystem {
  return {
    open: (path, mode) => {
      const file = fs.open(path, mode);
      return {
        path,
        size: () => file.size(),
        read: (position, target) => file.read(position, target),
        write: (position, bytes) => file.write(position, bytes),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        sync: () => {},
        syncAsync: () => Promise.resolve(),
        close: () => file.close(),
      };
    },
    readFile: (path) => fs.readFile(path),
    stat: (path) => fs.stat(path),
    list: (path) => fs.list(path),
    rename: (from, to) => fs.rename(from, to),
    remove: (path) => fs.remove(path),
    makeDirectory: (path) => fs.makeDirectory(path),
    syncDirectory: () => {},
  };
}

function syncTree(fs: FileSystem, path: string): void {
  if (fs.stat(path)?.isDirectory === true) {
    for (const name of fs.list(path)) syncTree(fs, `${path}/${name}`);
    fs.syncDirectory(path);
    return;
  }
  const file = fs.open(path, "readWrite");
  try {
    file.sync();
  } finally {
    file.close();
  }
}

function removeTree(fs: FileSystem, path: string): void {
  const found = fs.stat(path);
  if (found === undefined) return;
  if (found.isDirectory) for (const name of fs.list(path)) removeTree(fs, `${path}/${name}`);
  fs.remove(path);
}
