import { beforeAll, expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { inspectWal, type SoundWal, type WalMark, walFrameSums } from "../../../src/storage/wal-inspection.ts";
import { addRows, imageOf, inFolder, openSample } from "./sample-database.ts";

const PAGE = 512;
const FRAME = 24 + PAGE;

/** The log after each of some commits: what a killed process would leave. */
const logs: Uint8Array[] = [];

beforeAll(() =>
  inFolder((folder) => {
    const db = openSample(folder);
    for (let commit = 0; commit < 7; commit++) {
      addRows(db, 1, commit % 3 === 0 ? 1500 : 90);
      logs.push(imageOf(folder).get("sample.db-wal") as Uint8Array);
    }
    db.abandon();
  }),
);

function sound(bytes: Uint8Array, mark?: WalMark): SoundWal {
  const verdict = inspectWal(bytes, { mark, syncsEachCommit: true });
  if (verdict.kind !== "sound") throw new Error(JSON.stringify(verdict));
  return verdict;
}

function markOf(bytes: Uint8Array): WalMark {
  const { header, frameCount, checksum } = sound(bytes);
  return { salt: header.salt, frameCount, checksum };
}

const last = (): Uint8Array => logs.at(-1) as Uint8Array;
const beforeLast = (): Uint8Array => logs.at(-2) as Uint8Array;

test("wal: a log as committed, is sound with its commits and latest pages", () => {
  for (const [at, bytes] of logs.entries()) {
    const wal = sound(bytes);
    expect([wal.commitCount, wal.droppedBytes]).toEqual([at + 2, 0]);
    expect(wal.frameCount).toBe((bytes.length - 32) / FRAME);
    expect(wal.pages.size).toBeLessThanOrEqual(wal.pageCount);
  }
  expect(inspectWal(new Uint8Array(0), { syncsEachCommit: true })).toEqual({ kind: "empty" });
});

test("wal: any one byte changed, is damage by the mark", () => {
  const prng = new Prng(11);
  const unnoticed: number[] = [];
  for (let at = 0; at < last().length; at++) {
    const bytes = last().slice();
    bytes[at] = (bytes[at] as number) ^ (1 + prng.below(255));
    if (inspectWal(bytes, { mark: markOf(last()), syncsEachCommit: true }).kind !== "damaged") unnoticed.push(at);
  }
  expect(unnoticed).toEqual([]);
});

test("wal: any one byte changed and no mark, is damage; in the last commit at least a loss that shows", () => {
  const prng = new Prng(12);
  const unnoticed: number[] = [];
  for (let at = 0; at < last().length; at++) {
    const bytes = last().slice();
    bytes[at] = (bytes[at] as number) ^ (1 + prng.below(255));
    const verdict = inspectWal(bytes, { syncsEachCommit: true });
    const isLossInLastCommit = verdict.kind === "sound" && verdict.droppedBytes > 0 && at >= beforeLast().length;
    if (verdict.kind !== "damaged" && !isLossInLastCommit) unnoticed.push(at);
  }
  expect(unnoticed).toEqual([]);
});

test("wal: several bytes changed in a commit that another follows, is damage", () => {
  const bytes = beforeLast().slice();
  const start = (logs.at(-3) as Uint8Array).length;
  bytes.fill(0xaa, start + 40, start + 60);
  expect(inspectWal(bytes, { syncsEachCommit: true }).kind).toBe("sound");
  const followed = last().slice();
  followed.set(bytes);
  expect(inspectWal(followed, { syncsEachCommit: true })).toMatchObject({ kind: "damaged", offset: start });
});

test("wal: several bytes changed in the last commit, is damage when the mark covers it, else a torn end", () => {
  const bytes = last().slice();
  bytes.fill(0xaa, bytes.length - 100, bytes.length - 50);
  expect(sound(bytes, markOf(beforeLast())).droppedBytes).toBe(bytes.length - beforeLast().length);
  expect(inspectWal(bytes, { mark: markOf(last()), syncsEachCommit: true })).toMatchObject({
    kind: "damaged",
    detail: expect.stringContaining("frames were committed"),
  });
});

test("wal: cut short, emptied or replaced, is damage when the mark knows of more", () => {
  const mark = markOf(last());
  for (const bytes of [new Uint8Array(0), last().subarray(0, 20), beforeLast(), last().subarray(0, last().length - 1)]) {
    expect(inspectWal(bytes, { mark, syncsEachCommit: true }).kind).toBe("damaged");
  }
  const otherLife = inFolder((folder) => {
    const db = openSample(folder);
    addRows(db, 12, 1500);
    const bytes = imageOf(folder).get("sample.db-wal") as Uint8Array;
    db.abandon();
    return bytes;
  });
  expect(inspectWal(otherLife, { mark, syncsEachCommit: true }).kind).toBe("damaged");
});

test("wal: sectors of the un-synced last commit lost in any pattern, is a torn end and never damage", () => {
  const prng = new Prng(5);
  const kept = beforeLast().length;
  let torn = 0;
  for (let round = 0; round < 1000; round++) {
    const bytes = last().slice();
    for (let sector = Math.floor(kept / 512) * 512; sector < bytes.length; sector += 512) {
      if (prng.chance(0.4)) bytes.fill(0, Math.max(kept, sector), Math.min(sector + 512, bytes.length));
    }
    const wal = sound(prng.chance(0.3) ? bytes.subarray(0, kept + prng.below(bytes.length - kept)) : bytes, markOf(beforeLast()));
    if (wal.commitCount === logs.length) torn++;
    expect(wal.commitCount).toBeGreaterThanOrEqual(logs.length);
  }
  expect(torn).toBeGreaterThan(300);
});

test("wal: leftovers of earlier lives behind the last commit, are no loss, and any changed byte of them is noticed", () =>
  inFolder((folder) => {
    const db = openSample(folder);
    for (const rows of [14, 8, 3]) {
      addRows(db, rows, 300);
      db.checkpoint();
    }
    const leftoverSums = walFrameSums(imageOf(folder).get("sample.db-wal") as Uint8Array, PAGE);
    addRows(db, 1);
    const bytes = imageOf(folder).get("sample.db-wal") as Uint8Array;
    db.close();
    const inspect = (changed: Uint8Array): SoundWal => inspectWal(changed, { syncsEachCommit: true, leftoverSums }) as SoundWal;
    const wal = inspect(bytes);
    expect([wal.commitCount, wal.droppedBytes, wal.hasChangedLeftovers]).toEqual([1, 0, false]);
    const end = 32 + wal.frameCount * FRAME;
    expect(bytes.length - end).toBeGreaterThan(20 * FRAME);
    const unnoticed: number[] = [];
    for (let at = end; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      const found = inspect(changed);
      if (found.commitCount !== 1 || !found.hasChangedLeftovers) unnoticed.push(at);
    }
    expect(unnoticed).toEqual([]);
  }));

test("wal: frames of a step that was rolled back, are dropped and no damage", () =>
  inFolder((folder) => {
    const db = openSample(folder, { cacheBytesMax: 16 * 1024 });
    addRows(db, 3);
    const fill = (): void => {
      const insert = db.prepare<unknown, [{ content: Uint8Array }]>("INSERT INTO reading (content) VALUES ($content)");
      for (let row = 0; row < 400; row++) insert.run({ content: new Uint8Array(300).fill(row) });
    };
    let spilled = new Uint8Array(0);
    const fillAndFail = (): void => {
      fill();
      spilled = imageOf(folder).get("sample.db-wal") as Uint8Array<ArrayBuffer>;
      throw new Error("never mind");
    };
    const committed = imageOf(folder).get("sample.db-wal") as Uint8Array;
    expect(() => db.atomically(fillAndFail)).toThrow("never mind");
    for (const mark of [undefined, markOf(committed)]) {
      const wal = sound(spilled, mark);
      expect(wal.commitCount).toBe(4);
      expect(wal.droppedBytes).toBeGreaterThan(10_000);
    }
    db.atomically(fill);
    expect(sound(imageOf(folder).get("sample.db-wal") as Uint8Array).droppedBytes).toBe(0);
    db.close();
    openSample(folder).close();
  }));

test("wal: commits not synced one by one, torn in the middle, are no damage", () => {
  const bytes = last().slice();
  const start = (logs[2] as Uint8Array).length;
  bytes.fill(0, Math.ceil(start / 512) * 512, Math.ceil(start / 512) * 512 + 512);
  expect(inspectWal(bytes, { syncsEachCommit: true }).kind).toBe("damaged");
  expect(inspectWal(bytes, { syncsEachCommit: false })).toMatchObject({ kind: "sound", commitCount: 4 });
});
