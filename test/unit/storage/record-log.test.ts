import { expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { createRecordLog, isStorageError, MemoryFileSystem, openRecordLog, type StorageErrorCode } from "../../../src/storage/index.ts";
import { bodiesOf, bodyOf, LOG_FOLDER, lastSegment, newLog, refusalOf, reopen, SMALL, seededEntropy } from "./sample-log.ts";

function codeOf(error: unknown): StorageErrorCode | undefined {
  return isStorageError(error) ? error.code : undefined;
}

function refusalBy(action: () => unknown): StorageErrorCode | undefined {
  try {
    action();
  } catch (error) {
    if (!isStorageError(error)) throw error; // the verdict under test
    return error.code;
  }
  return undefined;
}

const bodies = (count: number, from = 0): Uint8Array[] => Array.from({ length: count }, (_, at) => bodyOf(from + at));

test("record log: records over several segments, come back in order and each by its location", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs);
  const locations = bodies(100).map((body) => log.append(body));
  log.close();
  const again = reopen(fs);
  expect(again.report).toEqual({ tornTail: undefined, wasClosed: true });
  expect(again.segmentCount).toBeGreaterThan(2);
  expect(bodiesOf(again)).toEqual(bodies(100));
  expect(bodiesOf(again, 97)).toEqual(bodies(3, 97));
  for (const location of locations) expect(again.read(location)).toEqual({ ok: true, value: bodyOf(location.index) });
});

test("record log: a record not yet synced, can be read and is not durable", () => {
  const log = newLog(new MemoryFileSystem(), 4);
  const location = log.append(bodyOf(4));
  expect(log.read(location)).toEqual({ ok: true, value: bodyOf(4) });
  expect([log.nextIndex, log.durableIndex]).toEqual([5, 4]);
  log.sync();
  expect(log.durableIndex).toBe(5);
});

test("record log: nothing new to sync, no sync reaches the disk", async () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 3);
  const before = [fs.syncCount, fs.writtenBytes];
  log.sync();
  await log.syncAsync();
  expect([fs.syncCount, fs.writtenBytes]).toEqual(before);
});

test("record log: appends during a running sync, share the next one", async () => {
  const pending: (() => void)[] = [];
  const fs = new MemoryFileSystem({ afterSyncTime: (complete) => pending.push(complete) });
  const log = newLog(fs);
  const before = fs.syncCount;
  log.append(bodyOf(0));
  const first = log.syncAsync();
  const later = [1, 2, 3].map((index) => {
    log.append(bodyOf(index));
    return log.syncAsync();
  });
  expect(pending).toHaveLength(1);
  pending.shift()?.();
  await first;
  expect(log.durableIndex).toBe(1);
  await Promise.resolve();
  pending.shift()?.();
  await Promise.all(later);
  expect(log.durableIndex).toBe(4);
  expect(fs.syncCount - before).toBe(2);
});

test("record log: a segment that fills during a running sync, both syncs end well", async () => {
  const pending: (() => void)[] = [];
  const fs = new MemoryFileSystem({ afterSyncTime: (complete) => pending.push(complete) });
  const log = newLog(fs);
  log.append(bodyOf(0));
  const first = log.syncAsync();
  for (let index = 1; index < 60; index++) log.append(bodyOf(index));
  const second = log.syncAsync();
  for (let turn = 0; turn < 4; turn++) {
    pending.shift()?.();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
  await Promise.all([first, second]);
  expect(log.durableIndex).toBe(60);
  expect(bodiesOf(log)).toEqual(bodies(60));
});

test("record log: a failed sync, every later call refuses and reading goes on", async () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 5);
  log.append(bodyOf(5));
  fs.failingSyncCount = 1;
  expect(refusalBy(() => log.sync())).toBe("ioFailed");
  expect(refusalBy(() => log.append(bodyOf(6)))).toBe("poisoned");
  expect(refusalBy(() => log.sync())).toBe("poisoned");
  expect(refusalBy(() => log.dropBefore(1))).toBe("poisoned");
  expect(codeOf(await log.syncAsync().catch((error: unknown) => error))).toBe("poisoned");
  expect(log.durableIndex).toBe(5);
  expect(bodiesOf(log).slice(0, 5)).toEqual(bodies(5));
  log.close();
});

test("record log: opened again after an opening whose sync failed, all that it shows and takes survives a power cut", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const fs = new MemoryFileSystem({ prng: new Prng(seed) });
    newLog(fs, 5);
    fs.kill(); // the process ends, the machine goes on with the last mark un-synced
    fs.failingSyncCount = 1;
    expect(refusalBy(() => reopen(fs))).toBe("ioFailed"); // no damage: the disk refused to write
    fs.kill(); // now its cache holds, as if it were clean, what its disk may have forgotten
    const again = reopen(fs);
    again.append(bodyOf(again.nextIndex));
    again.sync();
    fs.crash();
    expect(bodiesOf(reopen(fs))).toEqual(bodies(again.nextIndex));
  }
});

test("record log: put in its place by a process killed before the name was durable, what the next one takes survives a power cut", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const fs = new MemoryFileSystem({ prng: new Prng(seed) });
    newLog(fs, 5).close();
    fs.rename(LOG_FOLDER, "/moved");
    fs.kill(); // the machine goes on: the new name is seen, and lies on no platter
    const open = () => openRecordLog(fs, "/moved", SMALL);
    const log = open();
    if (!log.ok) throw new Error(log.error.detail);
    log.value.append(bodyOf(5));
    log.value.sync();
    fs.crash();
    const again = open();
    expect(again.ok && bodiesOf(again.value)).toEqual(bodies(6));
  }
});

test("record log: a failed asynchronous sync, all that waited are told", async () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs);
  log.append(bodyOf(0));
  fs.failingSyncCount = 1;
  const first = log.syncAsync();
  log.append(bodyOf(1));
  const second = log.syncAsync();
  expect(codeOf(await first.catch((error: unknown) => error))).toBe("ioFailed");
  expect(codeOf(await second.catch((error: unknown) => error))).toBe("ioFailed");
  expect(log.durableIndex).toBe(0);
  expect(log.poison?.code).toBe("ioFailed");
});

test("record log: a full disk, the un-synced records are gone and the log goes on", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 5);
  fs.capacityBytes = log.sizeBytes + 100;
  log.append(new Uint8Array(50));
  log.append(new Uint8Array(50));
  expect(refusalBy(() => log.sync())).toBe("diskFull");
  expect([log.nextIndex, log.durableIndex]).toEqual([5, 5]);
  fs.capacityBytes = Number.POSITIVE_INFINITY;
  log.append(bodyOf(5));
  log.sync();
  expect(bodiesOf(reopen(fs))).toEqual(bodies(6));
});

test("record log: a full disk met by a reader, the sync that was to come says so", async () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 2);
  fs.capacityBytes = log.sizeBytes;
  const location = log.append(new Uint8Array(50));
  expect(refusalBy(() => log.read(location))).toBe("diskFull");
  fs.capacityBytes = Number.POSITIVE_INFINITY;
  expect(refusalBy(() => log.append(bodyOf(2)))).toBe("diskFull");
  expect(codeOf(await log.syncAsync().catch((error: unknown) => error))).toBe("diskFull");
  log.append(bodyOf(2));
  await log.syncAsync();
  expect(bodiesOf(reopen(fs))).toEqual(bodies(3));
});

test("record log: a full disk during a running sync, what that sync carries stays", async () => {
  const pending: (() => void)[] = [];
  const fs = new MemoryFileSystem({ afterSyncTime: (complete) => pending.push(complete) });
  const log = newLog(fs, 2);
  log.append(bodyOf(2));
  const carried = log.syncAsync();
  fs.capacityBytes = 0;
  log.append(new Uint8Array(99));
  const waiting = log.syncAsync();
  expect(refusalBy(() => log.sync())).toBe("diskFull");
  fs.capacityBytes = Number.POSITIVE_INFINITY;
  expect(refusalBy(() => log.append(bodyOf(3)))).toBe("diskFull");
  pending.shift()?.();
  await carried;
  expect(codeOf(await waiting.catch((error: unknown) => error))).toBe("diskFull");
  log.append(bodyOf(3));
  log.sync();
  expect(bodiesOf(reopen(fs))).toEqual(bodies(4));
});

test("record log: a full disk at a new segment, the log goes on when there is room", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 3);
  log.append(new Uint8Array(3000));
  log.sync();
  fs.capacityBytes = log.sizeBytes + 60;
  expect(refusalBy(() => log.append(new Uint8Array(2000)))).toBe("diskFull");
  fs.capacityBytes = Number.POSITIVE_INFINITY;
  log.append(new Uint8Array(2000));
  log.sync();
  expect(reopen(fs).nextIndex).toBe(5);
});

test("record log: records dropped before an index, whole segments go and the rest stays", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 100);
  const size = log.sizeBytes;
  log.dropBefore(60);
  expect(log.firstIndex).toBeGreaterThan(40);
  expect(log.firstIndex).toBeLessThanOrEqual(60);
  expect(log.sizeBytes).toBeLessThan(size / 1.5);
  log.dropBefore(100);
  expect(log.segmentCount).toBe(1);
  const first = log.firstIndex;
  fs.kill();
  const again = reopen(fs);
  expect(again.firstIndex).toBe(first);
  expect(bodiesOf(again)).toEqual(bodies(100 - first, first));
});

test("record log: a dropped segment found again after a crash, is removed", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 60);
  const image = fs.image();
  log.dropBefore(60);
  const leftover = [...image.keys()][0] as string;
  const kept = fs.image();
  fs.restore(new Map([...kept, [leftover, image.get(leftover) as Uint8Array]]), LOG_FOLDER);
  fs.kill();
  expect(reopen(fs).firstIndex).toBe(log.firstIndex);
  expect(fs.stat(leftover)).toBeUndefined();
});

test("record log: making one where there is one, is refused; opening never makes one", () => {
  const fs = new MemoryFileSystem();
  expect(refusalOf(fs).kind).toBe("missing");
  fs.makeDirectory(LOG_FOLDER);
  expect(refusalOf(fs).kind).toBe("empty");
  newLog(fs, 1).close();
  expect(refusalBy(() => newLog(fs))).toBe("exists");
});

test("record log: a log of another name, is refused", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 1).close();
  expect(refusalOf(fs, { name: "other" }).kind).toBe("wrongLog");
});

test("record log: fewer records than the owner knows of, is damage", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 4).close();
  expect(refusalOf(fs, { ...SMALL, expectAtLeast: 5 })).toMatchObject({ kind: "shortOfExpected", file: lastSegment(fs) });
  expect(reopen(fs, { ...SMALL, expectAtLeast: 4 }).nextIndex).toBe(4);
});

test("record log: a torn tail, is reported, refused when the owner says so, else dropped", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 4);
  const path = lastSegment(fs);
  const size = fs.readFile(path).length;
  const file = fs.open(path, "readWrite");
  file.write(
    size,
    Uint8Array.from({ length: 30 }, () => 5),
  );
  file.sync();
  const refused = refusalOf(fs, { ...SMALL, acceptTail: () => false });
  expect(refused).toMatchObject({ kind: "refusedTail", file: path, offset: size });
  expect(fs.readFile(path)).toHaveLength(size + 30);
  const log = reopen(fs);
  expect(log.report.tornTail).toEqual({ file: path, offset: size, sizeBytes: 30, wholeRecordCount: 0, shape: "cut" });
  expect(fs.readFile(path)).toHaveLength(size);
  expect(bodiesOf(log)).toEqual(bodies(4));
});

test("record log: laid out ahead, a sync changes no file length and opening keeps the room", () => {
  const options = { ...SMALL, segmentBytesMax: 16384, preallocateBytes: 8192 };
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 1, options);
  const size = fs.stat(lastSegment(fs))?.sizeBytes;
  for (let index = 1; index < 12; index++) {
    log.append(bodyOf(index));
    log.sync();
    expect(fs.stat(lastSegment(fs))?.sizeBytes).toBe(size as number);
  }
  fs.kill();
  const again = reopen(fs, options);
  expect(again.report).toEqual({ tornTail: undefined, wasClosed: false });
  expect(fs.stat(lastSegment(fs))?.sizeBytes).toBe(size as number);
  expect(bodiesOf(again)).toEqual(bodies(12));
  for (let index = 12; index < 60; index++) again.append(bodyOf(index));
  again.close();
  expect(bodiesOf(reopen(fs))).toEqual(bodies(60));
});

test("record log: laid out ahead, only while records are small", () => {
  const options = { ...SMALL, segmentBytesMax: 1024 * 1024, preallocateBytes: 65536 };
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 1, options);
  for (let index = 0; index < 12; index++) {
    log.append(new Uint8Array(20_000));
    log.sync();
  }
  expect((fs.stat(lastSegment(fs))?.sizeBytes ?? 0) - log.sizeBytes).toBe(0);
  for (let index = 0; index < 60; index++) {
    log.append(new Uint8Array(100));
    log.sync();
  }
  expect((fs.stat(lastSegment(fs))?.sizeBytes ?? 0) - log.sizeBytes).toBeGreaterThan(30_000);
  log.close();
  expect(bodiesOf(reopen(fs, options))).toHaveLength(73);
});

test("record log: a disk that refuses to read, is damage by name", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs);
  const location = log.append(bodyOf(0));
  log.close();
  fs.failReads(lastSegment(fs), location.offset);
  expect(refusalOf(fs)).toMatchObject({ kind: "unreadable", file: lastSegment(fs) });
  fs.healReads();
  const again = reopen(fs);
  fs.failReads(lastSegment(fs), location.offset);
  expect(again.read(location)).toMatchObject({ ok: false, error: { kind: "unreadable" } });
});

test("record log: segments beyond the proof at opening, are proved by a scrub", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 100).close();
  const first = fs.files(LOG_FOLDER)[0] as string;
  fs.flipBit(first, 8 * 700);
  expect(refusalOf(fs)).toMatchObject({ kind: "badRecord", file: first });
  const log = reopen(fs, { ...SMALL, verifyBytesMax: 4096 });
  expect(log.scrub().next()).toMatchObject({ done: true, value: { ok: false, error: { kind: "badRecord", file: first } } });
});

test("record log: entropy that differs, makes logs whose segments cannot be exchanged", () => {
  const [one, two] = [new MemoryFileSystem(), new MemoryFileSystem()];
  newLog(one, 60).close();
  const other = createRecordLog(two, LOG_FOLDER, { ...SMALL, entropy: seededEntropy(8) });
  for (let index = 0; index < 60; index++) other.append(bodyOf(index));
  other.close();
  const path = one.files(LOG_FOLDER)[1] as string;
  one.restore(new Map([...one.image(), [path, two.readFile(path)]]), LOG_FOLDER);
  expect(refusalOf(one).kind).toBe("wrongLog");
  expect(openRecordLog(two, LOG_FOLDER, SMALL).ok).toBe(true);
});
