import { expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { isStorageError, MemoryFileSystem, replaceFile, type StorageErrorCode } from "../../../src/storage/index.ts";

function codeOf(action: () => unknown): StorageErrorCode | undefined {
  try {
    action();
  } catch (error) {
    if (!isStorageError(error)) throw error; // the verdict under test
    return error.code;
  }
  return undefined;
}

const filled = (fill: number, length = 2048): Uint8Array => new Uint8Array(length).fill(fill);

/** A disk with a durable file of ones and an un-synced change to twos, after a crash. */
function afterCrash(seed: number, hasGarbledSectors = false): Uint8Array {
  const fs = new MemoryFileSystem({ prng: new Prng(seed), hasGarbledSectors });
  replaceFile(fs, "/file", filled(1));
  const file = fs.open("/file", "readWrite");
  file.write(1000, filled(2));
  file.write(1500, filled(3));
  fs.crash();
  return fs.readFile("/file");
}

test("simulated disk: a crash, keeps what was synced and tears the rest by whole sectors", () => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 200; seed++) {
    const content = afterCrash(seed);
    expect(content.subarray(0, 1000)).toEqual(filled(1, 1000));
    for (let at = 1024; at + 512 <= content.length; at += 512) outcomes.add(`${content[at]}${content[at + 511]}`);
  }
  expect([...outcomes].sort()).toEqual(["00", "11", "20", "22", "23", "33"]);
});

test("simulated disk: equal seeds, equal crashes", () => {
  for (let seed = 0; seed < 20; seed++) expect(afterCrash(seed, true)).toEqual(afterCrash(seed, true));
});

test("simulated disk: a new file whose folder was not synced, may be gone", () => {
  const kept = new Set<boolean>();
  for (let seed = 0; seed < 30; seed++) {
    const fs = new MemoryFileSystem({ prng: new Prng(seed) });
    const file = fs.open("/new", "createNew");
    file.write(0, filled(1));
    file.sync();
    fs.crash();
    kept.add(fs.stat("/new") !== undefined);
  }
  expect(kept.size).toBe(2);
});

test("simulated disk: a rename not synced, leaves the old or the new name", () => {
  const names = new Set<string>();
  for (let seed = 0; seed < 30; seed++) {
    const fs = new MemoryFileSystem({ prng: new Prng(seed) });
    replaceFile(fs, "/old", filled(1));
    fs.rename("/old", "/new");
    fs.crash();
    names.add(fs.list("/").join());
  }
  expect([...names].sort()).toEqual(["new", "old"]);
});

test("simulated disk: a crash, kills handles and leaves running syncs unanswered", async () => {
  const pending: (() => void)[] = [];
  const fs = new MemoryFileSystem({ afterSyncTime: (complete) => pending.push(complete) });
  const file = fs.open("/file", "createNew");
  file.write(0, filled(1));
  let isAnswered = false;
  void file.syncAsync().finally(() => {
    isAnswered = true;
  });
  fs.crash();
  for (const complete of pending) complete();
  await Promise.resolve();
  expect(isAnswered).toBe(false);
  expect(codeOf(() => file.size())).toBe("ioFailed");
});

test("simulated disk: a failed sync, loses writes that no later sync brings back", () => {
  let lost = 0;
  for (let seed = 0; seed < 20; seed++) {
    const fs = new MemoryFileSystem({ prng: new Prng(seed) });
    replaceFile(fs, "/file", filled(1));
    const file = fs.open("/file", "readWrite");
    file.write(0, filled(2));
    fs.failingSyncCount = 1;
    expect(codeOf(() => file.sync())).toBe("ioFailed");
    file.sync();
    expect(fs.readFile("/file")).toEqual(filled(2));
    fs.crash();
    if (fs.readFile("/file")[0] === 1) lost++;
  }
  expect(lost).toBeGreaterThan(3);
});

test("simulated disk: one that lies about syncs, keeps nothing through a crash but by chance", () => {
  let lost = 0;
  for (let seed = 0; seed < 20; seed++) {
    const fs = new MemoryFileSystem({ prng: new Prng(seed) });
    replaceFile(fs, "/file", filled(1));
    fs.liesAboutSync = true;
    const file = fs.open("/file", "readWrite");
    file.write(0, filled(2));
    file.sync();
    fs.crash();
    if (fs.readFile("/file").some((byte) => byte === 1)) lost++;
  }
  expect(lost).toBeGreaterThan(3);
});

test("simulated disk: no room left, writes what fits and says so; overwriting needs no room", () => {
  const fs = new MemoryFileSystem({ capacityBytes: 100 });
  const file = fs.open("/file", "createNew");
  file.write(0, filled(1, 80));
  expect(codeOf(() => file.write(80, filled(2, 30)))).toBe("diskFull");
  expect(file.size()).toBe(100);
  file.write(0, filled(3, 100));
});

test("simulated disk: a flipped bit, is seen and stays", () => {
  const fs = new MemoryFileSystem();
  replaceFile(fs, "/file", filled(0, 4));
  fs.flipBit("/file", 8 * 2 + 3);
  fs.crash();
  expect(fs.readFile("/file")).toEqual(Uint8Array.of(0, 0, 8, 0));
});

test("simulated disk: reads told to fail, fail where they touch and heal", () => {
  const fs = new MemoryFileSystem();
  replaceFile(fs, "/file", filled(1, 100));
  fs.failReads("/file", 50, 60);
  const file = fs.open("/file", "read");
  expect(file.read(0, new Uint8Array(50))).toBe(50);
  expect(codeOf(() => file.read(45, new Uint8Array(10)))).toBe("ioFailed");
  expect(codeOf(() => fs.readFile("/file"))).toBe("ioFailed");
  fs.healReads();
  expect(file.read(45, new Uint8Array(10))).toBe(10);
});

test("simulated disk: an old image restored, is what is there, and what came later is gone", () => {
  const fs = new MemoryFileSystem();
  fs.makeDirectory("/home");
  fs.syncDirectory("/");
  replaceFile(fs, "/home/a", filled(1, 3));
  const image = fs.image();
  replaceFile(fs, "/home/a", filled(2, 3));
  replaceFile(fs, "/home/b", filled(2, 3));
  fs.restore(image, "/home");
  expect(fs.files("/home")).toEqual(["/home/a"]);
  expect(fs.readFile("/home/a")).toEqual(filled(1, 3));
  fs.wipe("/home");
  fs.crash();
  expect(fs.files()).toEqual([]);
});

test("simulated disk: stopped before an effect, that effect does not happen", () => {
  const effects: string[] = [];
  const fs = new MemoryFileSystem({
    onEffect: ({ operation, path }) => {
      effects.push(`${operation} ${path}`);
      if (operation === "sync") throw new Error("stopped");
    },
  });
  expect(() => replaceFile(fs, "/file", filled(1))).toThrow("stopped");
  expect(effects).toEqual(["create /file.new", "write /file.new", "sync /file.new"]);
  expect(fs.list("/")).toEqual(["file.new"]);
});
