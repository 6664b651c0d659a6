import { expect, test } from "bun:test";
import { existsSync, readdirSync, statSync } from "node:fs";
import { type Migration, openDatabase, openMemoryDatabase, raiseFormat } from "../../../src/storage/index.ts";
import { addRows, countRows, imageOf, inFolder, openSample, putImage, refusalOfSample, SAMPLE } from "./sample-database.ts";

test("database: rows committed and closed, are there when opened again", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 20);
    db.close();
    const again = openSample(folder);
    expect(countRows(again)).toBe(20);
    expect(again.commitCount).toBe(21);
    expect(again.report).toMatchObject({ commitCount: 21, droppedBytes: 0, isMarkUnreadable: false, unprovedPages: 0 });
    again.close();
    expect(readdirSync(folder).sort()).toEqual(["sample.db", "sample.db.lock", "sample.db.mark", "sample.db.sums"]);
    expect(statSync(`${folder}/sample.db`).mode & 0o777).toBe(0o600);
  }));

test("database: an action that throws, leaves nothing", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 1);
    const action = () => {
      db.run("INSERT INTO reading (content) VALUES (x'00')");
      throw new Error("changed my mind");
    };
    expect(() => db.atomically(action)).toThrow("changed my mind");
    expect(countRows(db)).toBe(1);
    db.close();
  }));

test("database: an asynchronous action, is refused and rolled back", () => {
  const db = openMemoryDatabase(SAMPLE);
  expect(() => db.atomically(async () => db.run("INSERT INTO reading (content) VALUES (x'00')"))).toThrow("gives no promise");
  expect(countRows(db)).toBe(0);
});

test("database: atomic steps nested, are refused and rolled back", () => {
  const db = openMemoryDatabase(SAMPLE);
  expect(() => db.atomically(() => db.atomically(() => addRows(db, 1)))).toThrow("not nested");
  expect(countRows(db)).toBe(0);
});

test("database: integers above 2^53 and a missing parameter, are exact and refused", () => {
  const db = openMemoryDatabase(SAMPLE);
  const insert = db.prepare<unknown, [{ id: bigint; content: Uint8Array }]>("INSERT INTO reading (id, content) VALUES ($id, $content)");
  db.atomically(() => insert.run({ id: 2n ** 53n + 1n, content: new Uint8Array(1) }));
  expect(db.prepare<{ id: bigint }>("SELECT id FROM reading").get()?.id).toBe(9007199254740993n);
  expect(() => db.prepare("INSERT INTO reading (id, content) VALUES ($id, $content)").run({ id: 1n })).toThrow("Missing parameter");
});

test("database: a prepared statement that writes outside an atomic step, is refused; a plain one is a step of its own", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    db.run("INSERT INTO reading (content) VALUES (x'00')");
    expect(db.commitCount).toBe(2);
    expect(() => db.prepare("DELETE FROM reading").run()).toThrow("readonly");
    expect(countRows(db)).toBe(1);
    db.close();
  }));

test("database: built anew without its free room, is smaller and whole", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 40, 2000);
    db.atomically(() => db.run("DELETE FROM reading WHERE id > 2"));
    db.checkpoint();
    const { size } = statSync(`${folder}/sample.db`);
    db.run("VACUUM");
    db.close();
    expect(statSync(`${folder}/sample.db`).size).toBeLessThan(size / 4);
    const again = openSample(folder);
    expect([countRows(again), again.commitCount]).toEqual([2, 43]);
    again.close();
  }));

test("database: a second opener, is refused with the process that has it", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    expect(refusalOfSample(folder)).toMatchObject({ code: "busy", message: expect.stringContaining(`in use by process ${process.pid}`) });
    db.close();
    openSample(folder).close();
  }));

test("database: a format of a later release, is refused with a sentence and left as it is", () =>
  inFolder((folder) => {
    openSample(folder, { migrations: [...SAMPLE.migrations, (db) => db.run("CREATE TABLE later (id INTEGER) STRICT")] }).close();
    const before = imageOf(folder);
    expect(refusalOfSample(folder)).toMatchObject({ code: "tooNew", message: expect.stringContaining("written by a later release") });
    expect(imageOf(folder).get("sample.db")).toEqual(before.get("sample.db") as Uint8Array);
  }));

test("database: a step held back, waits until it is asked for; the release before opens it until then", () =>
  inFolder((folder) => {
    const step: Migration = (db) => db.run("CREATE TABLE later (id INTEGER) STRICT");
    const version = SAMPLE.migrations.length + 1;
    const db = openSample(folder, { heldBackSteps: 1 });
    db.close();
    openSample(folder).close();
    const again = openSample(folder, { heldBackSteps: 1 });
    raiseFormat(again, version, step);
    raiseFormat(again, version, step);
    expect(() => raiseFormat(again, version + 2, step)).toThrow("one by one");
    again.close();
    expect(refusalOfSample(folder)).toMatchObject({ code: "tooNew" });
    const kept = openSample(folder, { heldBackSteps: 1 });
    expect(kept.askNumber("SELECT count(*) FROM later")).toBe(0);
    kept.close();
  }));

test("database: an older format, is brought forward once and atomically", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 3);
    db.close();
    const broken = [...SAMPLE.migrations, (opened: typeof db) => opened.run("DELETE FROM reading; CREATE TABLE nonsense (")];
    expect(() => openSample(folder, { migrations: broken })).toThrow();
    const forward = [...SAMPLE.migrations, (opened: typeof db) => opened.run("ALTER TABLE reading ADD COLUMN unit TEXT")];
    const newer = openSample(folder, { migrations: forward });
    expect(countRows(newer)).toBe(3);
    expect(newer.askNumber("PRAGMA user_version")).toBe(2);
    newer.close();
    openSample(folder, { migrations: forward }).close();
  }));

test("database: a database of another kind, is refused", () =>
  inFolder((folder) => {
    openSample(folder).close();
    expect(refusalOfSample(folder, { applicationId: 5 })).toMatchObject({
      code: "damaged",
      message: expect.stringContaining("another kind"),
    });
  }));

test("database: none there and none to be made, is missing", () =>
  inFolder((folder) => {
    expect(refusalOfSample(folder, { create: false }).code).toBe("missing");
    expect(existsSync(`${folder}/sample.db`)).toBe(false);
  }));

test("database: a checkpoint, moves every row and keeps the room of the log", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 50);
    expect(db.logFrameCount).toBeGreaterThan(50);
    db.checkpoint();
    expect(db.logFrameCount).toBe(0);
    const { size } = statSync(`${folder}/sample.db-wal`);
    addRows(db, 1);
    expect(statSync(`${folder}/sample.db-wal`).size).toBe(size); // written over
    db.emptyLog();
    expect(statSync(`${folder}/sample.db-wal`).size).toBe(0);
    expect(countRows(db)).toBe(51);
    expect(db.commitCount).toBe(52);
    for (const _ of db.scrub());
    db.close();
  }));

test("database: a checkpoint while a statement reads, is refused and can be repeated", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 50);
    const rows = db.prepare("SELECT id FROM reading").iterate();
    rows.next();
    expect(() => db.checkpoint()).toThrow(expect.objectContaining({ code: "busy" }));
    rows.return?.();
    db.checkpoint();
    db.close();
    expect(countRows(openSample(folder))).toBe(50);
  }));

test("database: let go without a checkpoint, leaves its log and all of its commits", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 5);
    db.abandon();
    expect(statSync(`${folder}/sample.db-wal`).size).toBeGreaterThan(0);
    const again = openSample(folder);
    expect([countRows(again), again.commitCount]).toEqual([5, 6]);
    again.close();
  }));

test("database: the process ends with a database open, nothing is moved and nothing is lost", () =>
  inFolder((folder) => {
    const script = `
      const { openSample, addRows } = await import(${JSON.stringify(`${import.meta.dir}/sample-database.ts`)});
      addRows(openSample(${JSON.stringify(folder)}), 7);
      if (process.argv.at(-1) === "throw") throw new Error("an end");`;
    for (const end of ["return", "throw"]) Bun.spawnSync([process.execPath, "-e", script, end], { stderr: "ignore" });
    const again = openSample(folder);
    expect([countRows(again), again.report.droppedBytes]).toEqual([14, 0]);
    again.close();
  }));

test("database: made but for its last step, is made again", () =>
  inFolder((folder) => {
    openSample(folder).close();
    const image = imageOf(folder);
    const main = image.get("sample.db") as Uint8Array;
    image.delete("sample.db");
    inFolder((other) => {
      putImage(new Map([...image, ["sample.db.building/built", main]]), other);
      const db = openSample(other);
      addRows(db, 1);
      db.close();
      expect(existsSync(`${other}/sample.db.building`)).toBe(false);
    });
    inFolder((other) => {
      putImage(image, other);
      expect(refusalOfSample(other)).toMatchObject({ code: "damaged", path: `${other}/sample.db` });
    });
  }));

test("database: killed while its connection closes without a checkpoint, is found where it stepped aside", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 4);
    const image = imageOf(folder);
    db.close();
    inFolder((other) => {
      putImage(new Map([...image].map(([path, content]) => [path === "sample.db" ? "sample.db.aside" : path, content])), other);
      const again = openSample(other);
      expect(countRows(again)).toBe(4);
      again.close();
    });
  }));

test("database: its mark and leftovers of its log changed at rest, are named and mended", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 20);
    db.checkpoint();
    addRows(db, 1);
    const image = imageOf(folder);
    db.close();
    const log = (image.get("sample.db-wal") as Uint8Array).slice();
    log.fill(7, log.length - 3);
    inFolder((other) => {
      putImage(new Map([...image, ["sample.db-wal", log], ["sample.db.mark", new Uint8Array(48)]]), other);
      const again = openSample(other);
      expect(again.notices.map(({ file }) => file)).toEqual([`${other}/sample.db.mark`, `${other}/sample.db-wal`]);
      expect(countRows(again)).toBe(21);
      expect(statSync(`${other}/sample.db-wal`).size).toBe(0);
      again.close();
      const mended = openSample(other);
      expect(mended.notices).toEqual([]);
      mended.close();
    });
  }));

test("database: in memory, keeps the same rules and what is committed", () => {
  const db = openMemoryDatabase(SAMPLE);
  addRows(db, 2);
  expect([countRows(db), db.commitCount, db.logFrameCount]).toEqual([2, 0, 0]);
  db.checkpoint();
  expect([...db.scrub()]).toEqual([]);
  expect(() => db.atomically(() => db.run("nonsense"))).toThrow("syntax error");
  db.close();
});

test("database: fewer commits than another file remembers, is damage", () =>
  inFolder((folder) => {
    openSample(folder).close();
    expect(refusalOfSample(folder, { expectCommitsAtLeast: 2 })).toMatchObject({ code: "damaged", path: `${folder}/sample.db` });
    openDatabase({ ...SAMPLE, path: `${folder}/sample.db`, expectCommitsAtLeast: 1 }).close();
  }));
