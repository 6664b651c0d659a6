import { expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";
import { MemoryFileSystem, openRecordLog } from "../../../src/storage/index.ts";
import { bodiesOf, bodyOf, diskOf, LOG_FOLDER, lastSegment, newLog, refusalOf, reopen, SMALL } from "./sample-log.ts";

type Image = ReadonlyMap<string, Uint8Array>;

/** What opening makes of a changed image: the file it blames, or what it silently lived with. */
function verdictOn(image: Image, recordCount: number): string {
  const opened = openRecordLog(diskOf(image), LOG_FOLDER, SMALL);
  if (!opened.ok) return opened.error.file;
  const { report, nextIndex } = opened.value;
  return `accepted with ${nextIndex} of ${recordCount} records, torn tail ${JSON.stringify(report.tornTail)}`;
}

function withByte(image: Image, path: string, at: number, change: (byte: number) => number): Image {
  const changed = (image.get(path) as Uint8Array).slice();
  changed[at] = change(changed[at] as number);
  return new Map([...image, [path, changed]]);
}

/** Changes each byte of each file in turn; gives the changes for which no damaged file was named. */
function unnoticedChanges(image: Image, recordCount: number): string[] {
  const prng = new Prng(3);
  const unnoticed: string[] = [];
  for (const [path, content] of image) {
    for (let at = 0; at < content.length; at++) {
      const changes = [(byte: number) => byte ^ (1 << prng.below(8)), (byte: number) => byte ^ (1 + prng.below(255))];
      for (const change of changes) {
        const verdict = verdictOn(withByte(image, path, at, change), recordCount);
        if (!verdict.startsWith(path)) unnoticed.push(`${path}+${at}: ${verdict}`);
      }
    }
  }
  return unnoticed;
}

test("log damage: any one byte changed after a clean close, the file is named", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 32).close();
  expect(fs.files(LOG_FOLDER).length).toBeGreaterThan(1);
  expect(unnoticedChanges(fs.image(), 32)).toEqual([]);
});

test("log damage: any one byte changed after the process was killed, the file is named", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 12);
  const killed = new Map(fs.files().map((path) => [path, fs.readFile(path)]));
  expect(unnoticedChanges(killed, 12)).toEqual([]);
});

test("log damage: any one byte changed after a power cut that took the last mark, the file is named", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 12);
  expect(unnoticedChanges(fs.image(), 12)).toEqual([]);
});

test("log damage: several bytes of a synced record changed before its mark, the file is named", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 5);
  const location = log.append(new Uint8Array(600).fill(9));
  log.sync();
  log.append(bodyOf(6));
  log.sync();
  const path = lastSegment(fs);
  for (let bit = 0; bit < 40; bit++) fs.flipBit(path, 8 * (location.offset + 16) + 97 * bit);
  expect(log.read(location)).toMatchObject({ ok: false, error: { kind: "badRecord", file: path, offset: location.offset } });
  expect(refusalOf(fs)).toMatchObject({ kind: "badRecord", file: path, offset: location.offset });
});

test("log damage: a changed length, does not hide the records after it", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 5);
  const location = log.append(bodyOf(5));
  log.append(bodyOf(6));
  log.sync();
  const path = lastSegment(fs);
  for (const byte of [1, 2, 3]) {
    const changed = withByte(fs.image(), path, location.offset + byte, (found) => found ^ 0xff);
    expect(refusalOf(diskOf(changed))).toMatchObject({ kind: "badRecord", offset: location.offset });
  }
});

test("log damage: a record copied over another of its length, is not taken for it", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs);
  const [one, two] = [log.append(new Uint8Array(64).fill(1)), log.append(new Uint8Array(64).fill(2))];
  log.close();
  const path = lastSegment(fs);
  const content = fs.readFile(path);
  content.copyWithin(two.offset, one.offset, two.offset);
  expect(refusalOf(diskOf(new Map([[path, content]])))).toMatchObject({ kind: "badRecord", offset: two.offset });
});

test("log damage: an un-synced group torn out of order, is dropped whole and no damage", () => {
  const fs = new MemoryFileSystem();
  const log = newLog(fs, 6);
  const first = log.append(new Uint8Array(900).fill(1));
  const second = log.append(new Uint8Array(300).fill(2));
  log.sync();
  const path = lastSegment(fs);
  const content = fs.readFile(path).subarray(0, second.offset + 348);
  content.fill(0, Math.ceil(first.offset / 512) * 512, Math.ceil(first.offset / 512) * 512 + 512);
  const opened = reopen(diskOf(new Map([[path, content]])));
  expect(opened.report.tornTail).toMatchObject({ file: path, offset: first.offset, wholeRecordCount: 1, shape: "zeros" });
  expect(bodiesOf(opened)).toHaveLength(6);
});

test("log damage: a segment missing at either end or in between, is named", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 100).close();
  const files = fs.files(LOG_FOLDER);
  for (const missing of files.slice(0, -1)) {
    const image = new Map(fs.image());
    image.delete(missing);
    expect(refusalOf(diskOf(image))).toMatchObject({ kind: "missingSegment", file: missing });
  }
  const image = new Map(fs.image());
  image.delete(files.at(-1) as string);
  expect(refusalOf(diskOf(image), { ...SMALL, expectAtLeast: 100 }).kind).toBe("shortOfExpected");
});

test("log damage: a closed segment shorter or longer than it was, is named", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 100).close();
  const path = fs.files(LOG_FOLDER)[1] as string;
  const content = fs.readFile(path);
  const changed = (bytes: Uint8Array) => refusalOf(diskOf(new Map([...fs.image(), [path, bytes]])));
  expect(changed(content.subarray(0, content.length - 50))).toMatchObject({ kind: "badChain", file: path });
  expect(changed(new Uint8Array([...content, 0]))).toMatchObject({ kind: "badChain", file: path });
});

test("log damage: a format of a later release, is refused with a sentence", () => {
  const fs = new MemoryFileSystem();
  newLog(fs, 1).close();
  const path = lastSegment(fs);
  const content = fs.readFile(path);
  content[11] = 2;
  content.set(new Bun.CryptoHasher("sha256").update(content.subarray(0, 112)).digest(), 112);
  expect(refusalOf(diskOf(new Map([[path, content]])))).toMatchObject({ kind: "tooNew", detail: expect.stringContaining("newer") });
});
