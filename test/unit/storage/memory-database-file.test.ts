import { describe, expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { type Database, type DatabaseEffect, isStorageError, MemoryDatabaseFile } from "../../../src/storage/index.ts";

class Stopped extends Error {}

type World = {
  readonly file: MemoryDatabaseFile;
  readonly seen: string[];
  stopAt: DatabaseEffect["operation"] | undefined;
};

function makeWorld(durability: "full" | "normal", seed = 1): World {
  const world: { seen: string[]; stopAt: DatabaseEffect["operation"] | undefined } = { seen: [], stopAt: undefined };
  const options = {
    path: "/home/some.db",
    applicationId: 77,
    migrations: [(database: Database) => database.run("CREATE TABLE item (number INTEGER PRIMARY KEY) STRICT")],
    durability,
  };
  const file = new MemoryDatabaseFile(options, new Prng(seed), ({ operation }) => {
    world.seen.push(operation);
    if (world.stopAt === operation) throw new Stopped();
  });
  return Object.assign(world, { file });
}

function add(database: Database, number: number): void {
  const insert = database.prepare<never, [number]>("INSERT INTO item (number) VALUES (?)");
  database.atomically(() => insert.run(number));
}

const countOf = (database: Database): number => database.askNumber("SELECT count(*) FROM item");

describe("memory database file: full durability", () => {
  test("database file: committed steps, outlive the process and the power", () => {
    const { file } = makeWorld("full");
    const first = file.open();
    add(first, 1);
    file.crash(true);
    expect(() => countOf(first)).toThrow("a closed database is not used");
    expect(countOf(file.open())).toBe(1);
  });

  test("database file: a stop before the commit, leaves no trace; one after it, leaves the step", () => {
    const world = makeWorld("full");
    world.stopAt = "commit";
    expect(() => add(world.file.open(), 1)).toThrow(Stopped);
    world.file.crash(true);
    world.stopAt = "committed";
    const second = world.file.open();
    expect(countOf(second)).toBe(0);
    expect(() => add(second, 2)).toThrow(Stopped);
    world.file.crash(true);
    expect(countOf(world.file.open())).toBe(1);
    expect(world.seen).toEqual(["commit", "commit", "committed"]);
  });

  test("database file: a commit without room, is undone and the database goes on; one whose disk fails, ends its use", () => {
    const { file } = makeWorld("full");
    const database = file.open();
    file.failNextCommit("diskFull");
    expect(() => add(database, 1)).toThrow("ENOSPC");
    add(database, 2);
    expect(countOf(database)).toBe(1);
    file.failNextCommit("ioFailed");
    expect(() => add(database, 3)).toThrow("EIO");
    const error = catchError(() => countOf(database));
    expect(isStorageError(error) && error.code).toBe("poisoned");
    file.crash(false);
    expect(countOf(file.open())).toBeLessThanOrEqual(2);
  });

  test("database file: an old image put back, is what the next process finds", () => {
    const { file } = makeWorld("full");
    const database = file.open();
    add(database, 1);
    const image = file.image();
    add(database, 2);
    file.crash(false);
    file.restore(image);
    expect(countOf(file.open())).toBe(1);
  });
});

describe("memory database file: the end", () => {
  test("database file: closed, lets go of its handle and refuses another", () => {
    const { file } = makeWorld("full");
    const database = file.open();
    file.close();
    expect(() => countOf(database)).toThrow("a closed database is not used");
    expect(() => file.open()).toThrow();
  });
});

describe("memory database file: normal durability", () => {
  test("database file: a killed process, loses nothing", () => {
    const { file } = makeWorld("normal");
    const database = file.open();
    for (let i = 0; i < 10; i++) add(database, i);
    file.crash(false);
    expect(countOf(file.open())).toBe(10);
  });

  test("database file: a power cut, loses only what came after the last sync, and sometimes does", () => {
    const found = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const { file } = makeWorld("normal", seed);
      const database = file.open();
      add(database, 1);
      database.checkpoint();
      add(database, 2);
      add(database, 3);
      file.crash(true);
      found.add(countOf(file.open()));
    }
    expect([...found].sort()).toEqual([1, 2, 3]);
  });
});

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
