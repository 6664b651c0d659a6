import { beforeAll, expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { currentBoot } from "../../../src/storage/commit-mark.ts";
import { databaseFiles } from "../../../src/storage/database-files.ts";
import { DatabaseGuard, type DatabaseReport } from "../../../src/storage/database-guard.ts";
import { isStorageError, nodeFileSystem } from "../../../src/storage/index.ts";
import { addRows, countRows, diskWith, imageOf, inFolder, openSample, putImage, refusalOfSample } from "./sample-database.ts";

type Image = ReadonlyMap<string, Uint8Array>;
type Verdict = { readonly file: string } | { readonly report: DatabaseReport };

const FILES = databaseFiles("/home/sample.db");

/** What the guard makes of an image, before SQLite would see it. */
function judge(image: Image, syncsEachCommit = true): Verdict {
  try {
    const guard = DatabaseGuard.open(diskWith(image), FILES, { syncsEachCommit, boot: currentBoot(), verifyBytesMax: 1e9 });
    guard.close();
    return { report: guard.report };
  } catch (error) {
    if (!isStorageError(error, "damaged")) throw error; // the verdict under test
    return { file: error.path };
  }
}

function withContent(image: Image, path: string, content: Uint8Array): Image {
  return new Map([...image, [path, content]]);
}

/** A database killed with commits in its log, after checkpoints; and the same one closed. */
let killed: Image;
let closed: Image;

beforeAll(() =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 3);
    db.checkpoint();
    addRows(db, 2);
    db.checkpoint();
    addRows(db, 3);
    killed = imageOf(folder);
    db.close();
    closed = imageOf(folder);
  }),
);

test("database damage: as it was left, is accepted whole", () => {
  expect(judge(killed)).toMatchObject({ report: { commitCount: 9, droppedBytes: 0, isMarkUnreadable: false } });
  expect(judge(closed)).toMatchObject({ report: { commitCount: 9, droppedBytes: 0, isMarkUnreadable: false } });
});

/** Whether a report says that a file is not what it was, of which nothing is needed. */
function isReported(report: DatabaseReport, path: string): boolean {
  if (path.endsWith(".mark")) return report.isMarkUnreadable;
  return path.endsWith("-wal") && report.hasChangedLeftovers && report.commitCount === 9;
}

test.each([
  ["killed", () => killed],
  ["closed", () => closed],
])("database damage: any one byte changed in any file of a database that was %s, is found and the file named", (_, image) => {
  const prng = new Prng(17);
  const unnoticed: string[] = [];
  for (const [path, content] of image()) {
    for (let at = 0; at < content.length; at++) {
      const changed = content.slice();
      changed[at] = (changed[at] as number) ^ (at % 2 === 0 ? 1 << prng.below(8) : 1 + prng.below(255));
      const verdict = judge(withContent(image(), path, changed));
      const isNamed = "file" in verdict ? verdict.file.startsWith(`/home/${path}`) : isReported(verdict.report, path);
      if (!isNamed) unnoticed.push(`${path}+${at}: ${JSON.stringify(verdict)}`);
    }
  }
  expect(unnoticed).toEqual([]);
});

test("database damage: any file cut, emptied or gone, is found and named", () => {
  for (const [path, content] of killed) {
    const isMark = path.endsWith(".mark");
    for (const changed of [new Uint8Array(0), content.subarray(0, content.length >> 1), content.subarray(0, content.length - 1)]) {
      const verdict = judge(withContent(killed, path, changed));
      if (isMark) expect(verdict).toMatchObject({ report: { commitCount: 9, isMarkUnreadable: true } });
      // Leftovers of the log cut off are no loss. The last record of the sums
      // was written without a sync: cut, it is torn.
      else if ("report" in verdict && path.endsWith("-wal")) expect(verdict).toMatchObject({ report: { commitCount: 9, droppedBytes: 0 } });
      else if ("report" in verdict) expect(verdict).toMatchObject({ report: { commitCount: 9, droppedSumsBytes: 48 } });
      else expect(verdict.file).toStartWith("/home/sample.db");
    }
    const without = new Map(killed);
    without.delete(path);
    if (path === "sample.db") expect(() => judge(without)).toThrow("no such file");
    else if (isMark) expect(judge(without)).toMatchObject({ report: { commitCount: 9, isMarkUnreadable: true } });
    else expect(judge(without)).toMatchObject({ file: expect.stringContaining("/home/sample.db") });
  }
});

test("database damage: an old copy of one file beside newer ones, is found", () => {
  const older = inFolder((folder) => {
    putImage(closed, folder);
    const before = imageOf(folder);
    const db = openSample(folder);
    addRows(db, 3);
    const during = imageOf(folder);
    db.checkpoint();
    addRows(db, 1);
    db.checkpoint();
    const after = imageOf(folder);
    db.abandon();
    return { before, during, after };
  });
  const put = (image: Image, path: string): Verdict => judge(withContent(older.after, path, image.get(path) as Uint8Array));
  expect(put(older.before, "sample.db")).toMatchObject({ file: "/home/sample.db" });
  expect(put(older.during, "sample.db-wal")).toMatchObject({ file: "/home/sample.db-wal" });
  expect(put(older.before, "sample.db.sums/00000000.seg")).toMatchObject({ file: expect.stringContaining("/home/sample.db") });
});

test("database damage: a checkpoint interrupted anywhere, loses nothing and is no damage", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 30);
    db.checkpoint();
    db.atomically(() => db.run("DELETE FROM reading WHERE id % 3 = 0"));
    addRows(db, 40, 700);
    const before = imageOf(folder);
    db.checkpoint();
    const after = imageOf(folder);
    db.abandon();
    const commitCount = db.report.commitCount + 72;
    const [oldMain, newMain] = [before.get("sample.db") as Uint8Array, after.get("sample.db") as Uint8Array];
    const sumsAfter = after.get("sample.db.sums/00000000.seg") as Uint8Array;
    const sums = withContent(before, "sample.db.sums/00000000.seg", sumsAfter.subarray(0, sumsAfter.length - 49)); // without the last record: it has ended
    const states: Image[] = [before, sums, withContent(sums, "sample.db", newMain), after];
    const prng = new Prng(23);
    for (let round = 0; round < 200; round++) states.push(withContent(sums, "sample.db", partlyMoved(oldMain, newMain, prng)));
    for (const image of states) expect(judge(image)).toMatchObject({ report: { commitCount, droppedBytes: 0 } });
    for (const image of states.slice(0, 6)) {
      inFolder((other) => {
        putImage(image, other);
        const again = openSample(other);
        expect([countRows(again), again.commitCount, again.askNumber("PRAGMA integrity_check") || 0]).toEqual([60, commitCount, 0]);
        addRows(again, 1);
        again.close();
        openSample(other).close();
      });
    }
  }));

/** The main file while pages are moved to it: any sectors old or new, any length in between. */
function partlyMoved(oldMain: Uint8Array, newMain: Uint8Array, prng: Prng): Uint8Array {
  const sizes = [oldMain.length, newMain.length, oldMain.length + 512 * prng.below((newMain.length - oldMain.length) / 512)];
  const out = new Uint8Array(sizes[prng.below(3)] as number);
  for (let at = 0; at < out.length; at += 512) {
    const source = at >= oldMain.length || prng.chance(0.5) ? newMain : oldMain;
    if (at < oldMain.length || prng.chance(0.7)) out.set(source.subarray(at, at + 512), at);
  }
  return out;
}

test("database damage: a log that changed under a running process, is not moved to the main file", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 5);
    const main = imageOf(folder).get("sample.db") as Uint8Array;
    const wal = nodeFileSystem.open(`${folder}/sample.db-wal`, "readWrite");
    wal.write(700, Uint8Array.of(1));
    wal.close();
    expect(() => db.checkpoint()).toThrow(expect.objectContaining({ code: "damaged", path: `${folder}/sample.db-wal` }));
    expect(() => addRows(db, 1)).toThrow(expect.objectContaining({ code: "poisoned" }));
    db.close();
    expect(imageOf(folder).get("sample.db")).toEqual(main);
    expect(refusalOfSample(folder)).toMatchObject({ code: "damaged", path: `${folder}/sample.db-wal` });
  }));

test("database damage: pages beyond the proof at opening, are proved by a scrub", () =>
  inFolder((folder) => {
    const db = openSample(folder, { pageBytes: 4096 });
    addRows(db, 1, 4 * 1024 * 1024);
    db.close();
    const image = imageOf(folder);
    const main = (image.get("sample.db") as Uint8Array).slice();
    main[2_000_000] = (main[2_000_000] as number) ^ 1;
    inFolder((other) => {
      putImage(withContent(image, "sample.db", main), other);
      expect(refusalOfSample(other)).toMatchObject({ code: "damaged", message: expect.stringContaining("page 489 ") });
      const opened = openSample(other, { verifyBytesMax: 1024 * 1024 });
      expect(opened.report.unprovedPages).toBeGreaterThan(700);
      const scrub = opened.scrub();
      expect(scrub.next().done).toBe(false);
      expect(() => [...scrub]).toThrow(expect.objectContaining({ code: "damaged", path: `${other}/sample.db` }));
      expect(opened.poison?.code).toBe("damaged");
      opened.close();
    });
  }));

test("database damage: in a database not synced at each commit, one changed byte is found all the same", () =>
  inFolder((folder) => {
    const db = openSample(folder, { durability: "normal" });
    addRows(db, 5);
    const image = imageOf(folder);
    db.close();
    const wal = image.get("sample.db-wal") as Uint8Array;
    const unnoticed: number[] = [];
    for (let at = 0; at < wal.length; at += 3) {
      const changed = wal.slice();
      changed[at] = (changed[at] as number) ^ 0x10;
      if (!("file" in judge(withContent(image, "sample.db-wal", changed), false))) unnoticed.push(at);
    }
    expect(unnoticed).toEqual([]);
  }));
