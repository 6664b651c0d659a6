/** What a database does when the disk is full or fails, under SQLite and under the files beside it. */
import { expect, test } from "bun:test";
import {
  countWrites,
  type FileSystem,
  isStorageError,
  measureDiskSpace,
  nodeFileSystem,
  type OpenFile,
  StorageError,
  spaceLevel,
} from "../../../src/storage/index.ts";
import { addRows, countRows, imageOf, inFolder, openSample } from "./sample-database.ts";

/** This machine's disk, refusing writes or syncs of some files while it is told to. */
class TroubledDisk {
  writeFailure: "diskFull" | "ioFailed" | undefined;
  syncFailure: "ioFailed" | undefined;
  readonly fs: FileSystem = { ...nodeFileSystem, open: (path, mode) => this.#troubled(nodeFileSystem.open(path, mode)) };

  #troubled(file: OpenFile): OpenFile {
    const fail = (code: "diskFull" | "ioFailed" | undefined): void => {
      if (code !== undefined) throw new StorageError(code, file.path, "the test says so");
    };
    return {
      path: file.path,
      size: () => file.size(),
      read: (position, target) => file.read(position, target),
      write: (position, bytes) => {
        fail(file.path.includes(".sums/") ? this.writeFailure : undefined);
        file.write(position, bytes);
      },
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      sync: () => {
        fail(this.syncFailure);
        file.sync();
      },
      syncAsync: () => file.syncAsync(),
      close: () => file.close(),
    };
  }
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isStorageError(error)) return error.code;
    throw error; // only storage errors are expected
  }
  return "none";
}

test("disk failure: no room for the sums, the checkpoint waits and nothing is lost", () =>
  inFolder((folder) => {
    const disk = new TroubledDisk();
    const db = openSample(folder, { fs: disk.fs });
    addRows(db, 5);
    const before = imageOf(folder).get("sample.db");
    disk.writeFailure = "diskFull";
    expect(codeOf(() => db.checkpoint())).toBe("diskFull");
    expect(imageOf(folder).get("sample.db")).toEqual(before as Uint8Array);
    addRows(db, 5);
    disk.writeFailure = undefined;
    db.checkpoint();
    db.close();
    const again = openSample(folder);
    expect([countRows(again), again.report.droppedBytes]).toEqual([10, 0]);
    again.close();
  }));

test("disk failure: no room at the end, the database is let go with its log and nothing is lost", () =>
  inFolder((folder) => {
    const disk = new TroubledDisk();
    const db = openSample(folder, { fs: disk.fs });
    addRows(db, 5);
    disk.writeFailure = "diskFull";
    expect(codeOf(() => db.close())).toBe("diskFull");
    const again = openSample(folder);
    expect(countRows(again)).toBe(5);
    again.close();
  }));

test("disk failure: a sync that fails, the database refuses all further work", () =>
  inFolder((folder) => {
    const disk = new TroubledDisk();
    const db = openSample(folder, { fs: disk.fs });
    addRows(db, 5);
    disk.syncFailure = "ioFailed";
    expect(codeOf(() => db.checkpoint())).toBe("ioFailed");
    expect(codeOf(() => addRows(db, 1))).toBe("poisoned");
    expect(codeOf(() => db.checkpoint())).toBe("poisoned");
    disk.syncFailure = undefined;
    db.close();
    const again = openSample(folder);
    expect(countRows(again)).toBe(5);
    again.close();
  }));

test("disk failure: SQLite finds no room, the step is rolled back and the next one works", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 5);
    const pages = db.askNumber("PRAGMA page_count");
    db.askNumber(`PRAGMA max_page_count = ${pages + 1}`);
    expect(codeOf(() => addRows(db, 1, 5000))).toBe("diskFull");
    expect(db.poison).toBeUndefined();
    db.askNumber("PRAGMA max_page_count = 100000");
    addRows(db, 1, 5000);
    expect(countRows(db)).toBe(6);
    db.close();
    openSample(folder).close();
  }));

test("disk space: a folder, has room and a level; a path that is not there, is missing", () =>
  inFolder((folder) => {
    const space = measureDiskSpace(folder, { lowBytes: 2, criticalBytes: 1 });
    expect(space.freeBytes).toBeGreaterThan(0);
    expect(space.totalBytes).toBeGreaterThanOrEqual(space.freeBytes);
    expect(space.level).toBe("ample");
    expect(codeOf(() => measureDiskSpace(`${folder}/absent`))).toBe("missing");
  }));

test("disk space: thresholds, each begins below its bound", () => {
  const thresholds = { lowBytes: 100, criticalBytes: 10 };
  expect([100, 99, 10, 9, 0].map((free) => spaceLevel(free, thresholds))).toEqual(["ample", "low", "low", "critical", "critical"]);
});

test("write counter: bytes written by this process, are counted where the system does", () =>
  inFolder((folder) => {
    const before = countWrites();
    if (before === undefined) return; // not Linux
    const file = nodeFileSystem.open(`${folder}/some`, "createNew");
    file.write(0, new Uint8Array(100_000));
    file.sync();
    file.close();
    expect((countWrites()?.calledBytes ?? 0) - before.calledBytes).toBeGreaterThanOrEqual(100_000);
  }));
