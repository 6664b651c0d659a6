/**
 * Databases under random work, kills and power cuts: whatever SQLite writes (blank pages, shrinking files, spilled steps
 * that are rolled back), the guard loses no acknowledged commit, calls nothing damaged that is not, and names what is.
 */
import { expect, test } from "bun:test";
import { Prng, present } from "../../src/kernel/index.ts";
import { type Database, isStorageError, openDatabase, type StorageError } from "../../src/storage/index.ts";
import { imageOf, inFolder, putImage } from "../unit/storage/sample-database.ts";

type Image = Map<string, Uint8Array>;

const WAL = "trial.db-wal";
const MARK = "trial.db.mark";

function open(folder: string, pageBytes: number): Database {
  return openDatabase({
    path: `${folder}/trial.db`,
    applicationId: 77,
    durability: "full",
    create: true,
    pageBytes,
    cacheBytesMax: 32 * pageBytes,
    migrations: [
      (db) => db.run("CREATE TABLE item (id INTEGER PRIMARY KEY, content BLOB) STRICT; CREATE INDEX by_content ON item (content)"),
    ],
  });
}

/** One step of work that commits once, or rolls back. */
function work(db: Database, prng: Prng, onMidway: () => void): void {
  const insert = `INSERT INTO item (content) SELECT randomblob(abs(random()) % ${1 + prng.below(900)}) FROM generate_series(1, ${1 + prng.below(25)})`;
  const choice = prng.below(13);
  if (choice < 5) db.atomically(() => db.run(series(insert)));
  else if (choice < 7) db.atomically(() => db.run(`DELETE FROM item WHERE id % ${2 + prng.below(5)} = 0`));
  else if (choice < 8) db.atomically(() => db.run("UPDATE item SET content = randomblob(50) WHERE id % 7 = 0"));
  else if (choice < 9) db.atomically(() => db.run("CREATE TABLE IF NOT EXISTS passing (x BLOB) STRICT"));
  else if (choice < 10) db.atomically(() => db.run("DROP TABLE IF EXISTS passing"));
  else if (choice < 11) rollBack(db, series(insert), onMidway);
  else if (choice < 12) growAndShrink(db, series(insert), onMidway);
  else db.run("VACUUM");
}

/** bun:sqlite has no generate_series: a recursive query does the same. */
function series(sql: string): string {
  const count = present(/generate_series\(1, (\d+)\)/.exec(sql)?.[1], "the statement names a count");
  return sql.replace(
    /generate_series\(.*\)/,
    `(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n)`,
  );
}

/** Leaves free pages at the end of the file. */
function growAndShrink(db: Database, sql: string, onMidway: () => void): void {
  db.atomically(() => {
    const last = db.askNumber("SELECT coalesce(max(id), 0) FROM item");
    for (let at = 0; at < 5; at++) db.run(sql);
    db.run(`DELETE FROM item WHERE id > ${last}`);
    onMidway();
  });
}

/** Writes more than the cache holds, so pages go to the log early and again, and takes it back. */
function rollBack(db: Database, sql: string, onMidway: () => void): void {
  const failing = (): void => {
    for (let at = 0; at < 20; at++) db.run(sql);
    onMidway();
    throw new Error("never mind");
  };
  expect(() => db.atomically(failing)).toThrow("never mind");
}

/**
 * Power cut after `now`, while what leads to `next` was under way: each sector of the log that differs is found as it was
 * or as it was to be, the mark is an old one. SQLite syncs a new header of the log before the frames that follow it.
 */
function powerCut(now: Image, next: Image, marks: readonly Uint8Array[], prng: Prng): Image {
  const cut = new Map(now).set(MARK, present(marks[prng.below(marks.length)], "there is a mark"));
  const [before, after] = [now.get(WAL) ?? new Uint8Array(0), next.get(WAL) ?? new Uint8Array(0)];
  if (after.length < before.length || before.length === 0) return cut;
  const torn = new Uint8Array(prng.chance(0.5) ? after.length : before.length + prng.below(after.length - before.length + 1));
  torn.set(before.subarray(0, torn.length));
  torn.set(after.subarray(0, 32));
  for (let sector = 0; sector < torn.length; sector += 512) {
    if (prng.chance(0.5)) torn.set(after.subarray(sector, Math.min(sector + 512, torn.length)), sector);
  }
  return cut.set(WAL, torn);
}

/** Opens an image in a folder of its own and proves all of it. */
function provenCommits(image: Image, pageBytes: number): number {
  return inFolder((folder) => {
    putImage(image, folder);
    const db = open(folder, pageBytes);
    for (const _ of db.scrub());
    expect(db.prepare<{ integrity_check: string }>("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
    const { commitCount } = db;
    db.close();
    return commitCount;
  });
}

function flipSomewhere(image: Image, prng: Prng): { image: Image; path: string } {
  const paths = [...image.keys()].filter((path) => (image.get(path)?.length ?? 0) > 0);
  const path = present(paths[prng.below(paths.length)], "the image has a file");
  const content = present(image.get(path), "the file is in the image").slice();
  const at = prng.below(content.length);
  content[at] = (content[at] as number) ^ (1 << prng.below(8));
  return { image: new Map(image).set(path, content), path };
}

function refusal(image: Image, pageBytes: number): StorageError | Database["report"] {
  return inFolder((folder) => {
    putImage(image, folder);
    try {
      const db = open(folder, pageBytes);
      db.abandon();
      return db.report;
    } catch (error) {
      if (isStorageError(error)) return error;
      throw error; // only storage errors are expected
    }
  });
}

function trial(seed: number): void {
  const prng = new Prng(seed);
  const pageBytes = prng.chance(0.5) ? 512 : 4096;
  inFolder((folder) => {
    let db = open(folder, pageBytes);
    let marks: Uint8Array[] = [];
    let now = imageOf(folder);
    for (let step = 0; step < 25; step++) {
      const { commitCount } = db;
      marks.push(present(now.get(MARK), "a database has a mark"));
      if (prng.chance(0.15)) db.checkpoint();
      else work(db, prng, () => expect(provenCommits(imageOf(folder), pageBytes)).toBe(commitCount));
      const next = imageOf(folder);
      const choice = prng.below(8);
      if (choice === 0) expect(provenCommits(next, pageBytes)).toBe(db.commitCount);
      else if (choice === 1) expect(provenCommits(powerCut(now, next, marks, prng), pageBytes)).toBeGreaterThanOrEqual(commitCount);
      else if (choice === 2) {
        const flipped = flipSomewhere(next, prng);
        const found = refusal(flipped.image, pageBytes);
        const isNoticed = isStorageError(found, "damaged") ? found.path.endsWith(flipped.path) || found.path.endsWith(".sums") : false;
        // Frames of a rolled-back step, or of an earlier life of the log, lie behind the last commit: nobody needs them.
        const isUnread = !isStorageError(found) && flipped.path === WAL && found.commitCount === db.commitCount;
        const isMark = !isStorageError(found) && flipped.path === MARK && found.isMarkUnreadable;
        if (!isStorageError(found) && isUnread) expect(found.droppedBytes > 0 || found.hasChangedLeftovers).toBe(true);
        expect([isNoticed || isUnread || isMark, flipped.path, found]).toEqual([true, flipped.path, found]);
      } else if (choice === 3) {
        if (prng.chance(0.5)) db.close();
        else db.abandon();
        db = open(folder, pageBytes);
        marks = [];
      }
      now = imageOf(folder);
    }
    db.close();
  });
}

test("databases under work and cuts: any seed, commits that were acknowledged are there and damage is named", () => {
  const seeds = Number(Bun.argv.find((argument) => argument.startsWith("--seeds="))?.slice(8) ?? 4);
  for (let seed = 1; seed <= seeds; seed++) {
    try {
      trial(seed);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error }); // says which seed to replay
    }
  }
}, 120_000);
