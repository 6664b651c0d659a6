import { expect, test } from "bun:test";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { PageSums } from "../../../src/storage/page-sums.ts";
import type { SoundWal } from "../../../src/storage/wal-inspection.ts";

const PAGE = 512;
const page = (fill: number): Uint8Array => new Uint8Array(PAGE).fill(fill);

/** A log of one commit with these pages. */
function log(life: number, pages: readonly (readonly [number, Uint8Array])[], pageCount: number): SoundWal {
  const checksum = { first: life, second: life };
  const droppedBytes = 0;
  const header = { pageBytes: PAGE, salt: { first: life, second: 7 }, checksum };
  return {
    kind: "sound",
    header,
    frameCount: pages.length,
    commitCount: 1,
    checksum,
    pages: new Map(pages),
    pageCount,
    droppedBytes,
    hasChangedLeftovers: false,
  };
}

function record(sums: PageSums, wal: SoundWal): void {
  sums.recordCheckpoint(wal, Uint32Array.of(8, 9));
}

function newSums(fs: MemoryFileSystem): PageSums {
  PageSums.create(fs, "/sums", page(1).subarray(0, 16), PAGE, page(1));
  return reopened(fs);
}

function reopened(fs: MemoryFileSystem): PageSums {
  const opened = PageSums.open(fs, "/sums");
  if (!opened.ok) throw new Error(opened.error.detail);
  return opened.value;
}

test("page sums: a checkpoint noted, its pages are right after reopening and no others", () => {
  const fs = new MemoryFileSystem();
  record(
    newSums(fs),
    log(
      1,
      [
        [1, page(5)],
        [2, page(6)],
      ],
      2,
    ),
  );
  fs.crash();
  const sums = reopened(fs);
  expect(sums.latest).toEqual({
    salt: { first: 1, second: 7 },
    frameCount: 2,
    commitsBefore: 0,
    commitCount: 1,
    pageCount: 2,
    frameSums: Uint32Array.of(8, 9),
  });
  expect([sums.isRight(1, page(5)), sums.isRight(1, page(1)), sums.isRight(2, page(6)), sums.isRight(3, page(0))]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});

test("page sums: a new page that the log does not hold, is expected to be blank", () => {
  const sums = newSums(new MemoryFileSystem());
  record(
    sums,
    log(
      1,
      [
        [1, page(5)],
        [3, page(6)],
      ],
      3,
    ),
  );
  expect([sums.isRight(2, page(0)), sums.isRight(2, page(1))]).toEqual([true, false]);
});

test("page sums: commits, count on over lives of the log and not twice over one that is moved again", () => {
  const sums = newSums(new MemoryFileSystem());
  record(sums, log(1, [[1, page(5)]], 1));
  record(sums, { ...log(1, [[1, page(6)]], 1), commitCount: 3 });
  expect(sums.latest).toMatchObject({ commitsBefore: 0, commitCount: 3 });
  record(sums, log(2, [[1, page(7)]], 1));
  expect(sums.latest).toMatchObject({ commitsBefore: 3, commitCount: 1 });
  expect([sums.isOutdated({ first: 1, second: 7 }), sums.isOutdated({ first: 2, second: 7 })]).toEqual([true, false]);
});

test("page sums: a log grown large, is replaced by a snapshot that says the same", () => {
  const fs = new MemoryFileSystem();
  const sums = newSums(fs);
  let largest = 0;
  for (let life = 1; life <= 120; life++) {
    const pages = Array.from({ length: 1000 }, (_, at) => [at + 1, page((life + at) % 251)] as const);
    record(sums, log(life, pages, 1000));
    largest = Math.max(largest, sums.sizeBytes);
    sums.compactIfLarge();
  }
  expect(largest).toBeLessThan(1_200_000);
  fs.crash();
  const again = reopened(fs);
  expect(again.latest).toEqual(sums.latest);
  for (let at = 0; at < 1000; at++) expect(again.isRight(at + 1, page((120 + at) % 251))).toBe(true);
  expect(fs.files("/sums").length).toBeLessThan(6);
});

test("page sums: a file of whole pages that shrinks and grows again, expects what was last moved", () => {
  const sums = newSums(new MemoryFileSystem());
  record(
    sums,
    log(
      1,
      [
        [1, page(1)],
        [2, page(2)],
        [3, page(3)],
      ],
      3,
    ),
  );
  record(sums, log(2, [[1, page(4)]], 1));
  record(
    sums,
    log(
      3,
      [
        [1, page(5)],
        [3, page(6)],
      ],
      3,
    ),
  );
  expect([sums.isRight(2, page(2)), sums.isRight(2, page(0)), sums.isRight(3, page(6))]).toEqual([false, true, true]);
});
