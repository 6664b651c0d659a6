import { describe, expect, test } from "bun:test";
import { HashIndex, type HashIndexTuning } from "../../../src/blocks/hash-index/index.ts";
import { planCover, planMerge } from "../../../src/blocks/hash-index/merge-plan.ts";
import { packPosition, unpackPosition } from "../../../src/blocks/hash-index/position.ts";
import { sha256 } from "../../../src/crypto/index.ts";
import { Prng, silentLog, utf8 } from "../../../src/kernel/index.ts";
import { MemoryFileSystem, type StorageError } from "../../../src/storage/index.ts";

const CHAIN = sha256(utf8("a chain"));
const SMALL: HashIndexTuning = { pendingEntriesMax: 64, pendingBlocksMax: 20, sliceEntries: 50, verifyBytesMax: 1_000_000 };

function open(fs: MemoryFileSystem, damage: StorageError[] = [], chainId = CHAIN, tuning = SMALL): HashIndex {
  const parts = { fs, directory: "/home/index", chainId, log: silentLog, onDamage: (error: StorageError) => damage.push(error) };
  return new HashIndex(parts, tuning);
}

function diskWithHome(): MemoryFileSystem {
  const fs = new MemoryFileSystem();
  fs.makeDirectory("/home");
  return fs;
}

const blockHash = (height: number): Uint8Array => sha256(utf8(`block ${height}`));
const transactionId = (height: number, index: number): Uint8Array => sha256(utf8(`transaction ${height}/${index}`));

function addBlocks(index: HashIndex, to: number, perBlock = 5): void {
  for (let height = index.indexedHeight + 1; height <= to; height++) {
    const ids = Array.from({ length: perBlock }, (_, at) => transactionId(height, at));
    index.addBlock(height, blockHash(height), ids, []);
    index.maintain();
  }
}

describe("hash index", () => {
  test("hash index: hundreds of blocks through flushes and merges, every hash is found at its place", async () => {
    const index = open(diskWithHome());
    for (let to = 0; to <= 600; to += 25) {
      addBlocks(index, to);
      await index.settle();
    }
    expect(index.coveredHeight).toBeGreaterThan(550);
    expect(index.runCount).toBeLessThan(60);
    for (let height = 0; height <= 600; height++) {
      expect(index.candidates(blockHash(height))).toContainEqual({ height, index: 4096 });
      for (let at = 0; at < 5; at++) expect(index.candidates(transactionId(height, at))).toContainEqual({ height, index: at });
    }
    expect(index.candidates(transactionId(601, 0))).toEqual([]);
  });

  test("hash index: many blocks without a turn for anything else, written all the same", () => {
    const index = open(diskWithHome());
    for (let height = 0; height <= 600; height++) {
      index.addBlock(height, blockHash(height), [transactionId(height, 0)], []);
      index.maintainNow();
    }
    expect(index.coveredHeight).toBeGreaterThan(570);
    expect(index.runCount).toBeLessThan(16);
    for (let height = 0; height <= 600; height++) expect(index.candidates(blockHash(height))).toEqual([{ height, index: 4096 }]);
  });

  test("hash index: while a run is being written, its entries are still found", () => {
    const index = open(diskWithHome());
    addBlocks(index, 12);
    expect(index.coveredHeight).toBe(-1);
    for (let height = 0; height <= 12; height++) expect(index.candidates(transactionId(height, 4))).toEqual([{ height, index: 4 }]);
  });

  test("hash index: opened again, runs cover what they hold and the rest is added again", async () => {
    const fs = diskWithHome();
    const first = open(fs);
    addBlocks(first, 100);
    await first.settle();
    const covered = first.coveredHeight;
    first.close();
    const second = open(fs);
    expect(second.coveredHeight).toBe(covered);
    expect(second.indexedHeight).toBe(covered);
    addBlocks(second, 130);
    expect(second.candidates(blockHash(3))).toEqual([{ height: 3, index: 4096 }]);
    expect(second.candidates(blockHash(125))).toEqual([{ height: 125, index: 4096 }]);
  });

  test("hash index: power cut at any moment, what is opened covers a gapless beginning and answers right", async () => {
    for (let seed = 0; seed < 20; seed++) {
      const fs = new MemoryFileSystem({ prng: new Prng(seed) });
      fs.makeDirectory("/home");
      fs.makeDirectory("/home/index");
      fs.syncDirectory("/");
      fs.syncDirectory("/home");
      const index = open(fs);
      const stopAt = 40 + seed * 7;
      for (let to = 0; to <= stopAt; to += 5) {
        addBlocks(index, to);
        if (to % 15 === 0) await index.settle();
        else await Promise.resolve();
      }
      const reached = index.indexedHeight;
      fs.crash();
      const again = open(fs);
      expect(again.coveredHeight).toBeLessThanOrEqual(reached);
      addBlocks(again, reached);
      for (let height = 0; height <= reached; height++)
        expect(again.candidates(transactionId(height, 1))).toContainEqual({ height, index: 1 });
    }
  });

  test("hash index: a flipped byte in a run, named and let go, and the next start covers only what is whole", async () => {
    const fs = diskWithHome();
    const damage: StorageError[] = [];
    const index = open(fs, damage);
    addBlocks(index, 100);
    await index.settle();
    const name = fs.list("/home/index")[0] ?? "";
    const file = fs.open(`/home/index/${name}`, "readWrite");
    file.write(4_096 + 100, Uint8Array.of(0xff, 0xff, 0xff));
    file.close();
    for (let height = 0; height <= 100; height++) index.candidates(blockHash(height));
    expect(damage.map((error) => error.code)).toEqual(["damaged"]);
    expect(damage[0]?.message).toContain(name);
    index.close();
    const again = open(fs, damage);
    expect(again.coveredHeight).toBeLessThan(30);
  });

  test("hash index: a flipped byte anywhere in a run, named when it is opened or, beyond the bound, by the scrub", async () => {
    const fs = diskWithHome();
    const index = open(fs);
    addBlocks(index, 12, 10);
    await index.settle();
    index.close();
    const path = `/home/index/${fs.list("/home/index")[0]}`;
    const bytes = fs.readFile(path).slice();
    const prng = new Prng(3);
    for (let round = 0; round < 60; round++) {
      const at = prng.below(bytes.length);
      const write = (content: Uint8Array): void => {
        if (fs.stat(path) !== undefined) fs.remove(path);
        const file = fs.open(path, "createNew");
        file.write(0, content);
        file.close();
      };
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << prng.below(8));
      for (const verifyBytesMax of [1_000_000, 0]) {
        write(flipped);
        const damage: StorageError[] = [];
        const again = open(fs, damage, CHAIN, { ...SMALL, verifyBytesMax });
        for (const _page of again.scrub());
        expect(damage.map((error) => [error.code, error.path])).toEqual([["damaged", path]]);
        expect(again.coveredHeight).toBe(-1);
        again.close();
      }
    }
  });

  test("hash index: runs of another chain, removed", async () => {
    const fs = diskWithHome();
    const index = open(fs);
    addBlocks(index, 60);
    await index.settle();
    index.close();
    const other = open(fs, [], sha256(utf8("another chain")));
    expect(other.coveredHeight).toBe(-1);
    expect(fs.list("/home/index")).toEqual([]);
  });

  test("hash index: a full disk, nothing is thrown and everything stays findable", async () => {
    const fs = new MemoryFileSystem({ capacityBytes: 6_000 });
    fs.makeDirectory("/home");
    const index = open(fs);
    addBlocks(index, 200);
    await Promise.resolve();
    expect(index.coveredHeight).toBe(-1);
    for (let height = 0; height <= 200; height += 10) expect(index.candidates(blockHash(height))).toEqual([{ height, index: 4096 }]);
  });

  test("hash index: hashes ground into one corner, still found", async () => {
    const index = open(diskWithHome());
    const near = (n: number): Uint8Array => {
      const hash = new Uint8Array(32);
      new DataView(hash.buffer).setUint32(4, n);
      return hash;
    };
    for (let height = 0; height < 40; height++) {
      index.addBlock(height, near(height * 2_000), [near(height * 2_000 + 1), near(height * 2_000 + 2)], []);
      await index.settle();
    }
    for (let height = 0; height < 40; height++) expect(index.candidates(near(height * 2_000 + 2))).toEqual([{ height, index: 1 }]);
  });
});

describe("plans", () => {
  const run = (fromHeight: number, toHeight: number, count = 10) => ({ fromHeight, toHeight, count });

  test("plan: fewer than eight neighbours of a level, nothing to merge", () => {
    expect(planMerge(Array.from({ length: 7 }, (_, at) => run(at, at)))).toBeUndefined();
  });

  test("plan: eight small runs behind a large one, the eight are merged", () => {
    const runs = [run(0, 9, 100_000), ...Array.from({ length: 8 }, (_, at) => run(10 + at, 10 + at))];
    expect(planMerge(runs)).toEqual({ from: 1, to: 9 });
  });

  test("plan: a gap of heights, not merged over", () => {
    const runs = Array.from({ length: 9 }, (_, at) => run(at < 4 ? at : at + 1, at < 4 ? at : at + 1));
    expect(planMerge(runs)).toBeUndefined();
  });

  test("cover: a merged run beside its inputs, the merged one wins", () => {
    const runs = [run(0, 4), run(5, 9), run(0, 9), run(12, 14)];
    expect(planCover(runs)).toEqual({ cover: [run(0, 9)], rest: [run(0, 4), run(5, 9), run(12, 14)] });
  });

  test("position: packed and read back, the same", () => {
    const prng = new Prng(7);
    for (let i = 0; i < 200; i++) {
      const position = { height: prng.below(2 ** 31) * 16, index: prng.below(4_097) };
      expect(unpackPosition(packPosition(position))).toEqual(position);
    }
  });
});
