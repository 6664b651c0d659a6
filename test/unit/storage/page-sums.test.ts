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

test("page sums: any bit flipped near the end of a closed log, at every place in a sector, refused or told as dropped", () => {
  const silent: string[] = [];
  const dropped = new Set<number>();
  for (let entries = 1; entries <= 64; entries++) {
    const fs = new MemoryFileSystem();
    const sums = newSums(fs);
    // Twelve bytes an entry and four a frame: over the runs the last records begin at every fourth place of a sector.
    const pages = Array.from({ length: entries }, (_, at) => [at + 1, page(at % 250)] as const);
    sums.recordCheckpoint(log(1, pages, entries), new Uint32Array(1 + (entries % 5)));
    sums.recordDone();
    sums.close();
    const path = "/sums/00000000.seg";
    const sizeBytes = fs.image().get(path)?.length ?? 0;
    for (let at = sizeBytes - 150; at < sizeBytes; at++) {
      const bit = 8 * at + ((at + entries) % 8);
      fs.flipBit(path, bit);
      const image = fs.image();
      const opened = PageSums.open(fs, "/sums");
      if (opened.ok) {
        if (opened.value.droppedBytes === 0) silent.push(`${entries} entries, bit ${bit} of ${sizeBytes} bytes`);
        else dropped.add(at % 512);
        opened.value.close();
      }
      fs.restore(image, "/sums");
      fs.flipBit(path, bit);
    }
  }
  expect(silent).toEqual([]);
  // Only where under four bytes of the frame share the sector with the flip, which a garbled sector might explain too.
  expect([...dropped].filter((place) => place > 2 && place < 509)).toEqual([]);
  expect(dropped.size).toBeGreaterThan(0);
});
