import { expect, test } from "bun:test";
import type { Round } from "../../../src/consensus/index.ts";
import { MemoryFileSystem } from "../../../src/storage/index.ts";
import { openJournal, SignedMark, type SignedMarkFiles } from "../../../src/validator/index.ts";
import { diskWithJournal, finalize, KEY, notarize, voteRecord } from "./samples.ts";

const at = (view: number, epoch = 0): Round => ({ epoch, view });

function place(fs = new MemoryFileSystem()): SignedMarkFiles {
  return { fs, directory: "/signed", publicKey: KEY.publicKey };
}

function opened(files: SignedMarkFiles): SignedMark {
  const mark = SignedMark.open(files);
  if (!mark.ok) throw new Error(mark.error);
  return mark.value;
}

test("signed mark: a key that has signed nothing, has none and makes no file", () => {
  const files = place();
  const mark = opened(files);
  mark.flush();
  expect(mark.noted).toEqual(at(0));
  expect(files.fs.stat("/signed")).toBeUndefined();
});

test("signed mark: noted every 256 views and at each epoch, exactly when it is flushed, and never falls by itself", () => {
  const files = place();
  const mark = opened(files);
  const noted = (...rounds: readonly Round[]): Round => {
    for (const round of rounds) mark.advance(round);
    return opened(files).noted;
  };
  expect(noted(at(255))).toEqual(at(0));
  expect(noted(at(256))).toEqual(at(256));
  expect(noted(at(300), at(299))).toEqual(at(256));
  mark.flush();
  expect(noted()).toEqual(at(300));
  expect(noted(at(1, 1))).toEqual(at(1, 1));
  expect(noted(at(9_999))).toEqual(at(1, 1));
});

test("signed mark: an operator's word alone lowers it", () => {
  const files = place();
  const mark = opened(files);
  mark.advance(at(1_000));
  mark.lowerTo(at(2_000));
  expect(opened(files).noted).toEqual(at(1_000));
  mark.lowerTo(at(7));
  expect(opened(files).noted).toEqual(at(7));
});

test("signed mark: any changed byte, another key's file and a short one, are not what was written", () => {
  const files = place();
  const mark = opened(files);
  mark.advance(at(700, 3));
  const [name = ""] = files.fs.list("/signed");
  const bytes = files.fs.readFile(`/signed/${name}`);
  for (let index = 0; index < bytes.length; index++) {
    const changed = bytes.slice();
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(SignedMark.open(holding(name, changed)).ok).toBe(false);
  }
  for (const wrong of [new Uint8Array(), bytes.subarray(0, 31), bytes.subarray(1)])
    expect(SignedMark.open(holding(name, wrong)).ok).toBe(false);
  expect(SignedMark.open(holding(name, bytes)).ok).toBe(true);
  const other = { ...holding("00".repeat(32).concat(".signed"), bytes), publicKey: new Uint8Array(32) };
  expect(SignedMark.open(other).ok).toBe(false);
});

function holding(name: string, bytes: Uint8Array): SignedMarkFiles {
  const files = place();
  files.fs.makeDirectory("/signed");
  const file = files.fs.open(`/signed/${name}`, "createNew");
  file.write(0, bytes);
  file.close();
  return files;
}

test("journal: each vote's round is told once it is durable and before it may be signed; what is no vote is not", () => {
  const { files } = diskWithJournal();
  const told: Round[] = [];
  const journal = openJournal(files, {
    publicKey: KEY.publicKey,
    isBlocking: true,
    onDurable: (round) => told.push(at(round.view, round.epoch)),
  });
  journal.append(voteRecord(notarize(3)));
  journal.append({ kind: "floor", round: at(1) });
  expect(told).toEqual([]);
  journal.syncNow();
  expect(told).toEqual([at(3)]);
  journal.append(voteRecord(finalize(3)));
  journal.append(voteRecord(notarize(4)));
  journal.syncNow();
  expect(told).toEqual([at(3), at(3), at(4)]);
  expect(journal.reach).toEqual(at(4));
});

test("journal: a mark that cannot be written, ends voting before the vote may be signed", async () => {
  for (const isBlocking of [true, false]) {
    const { files } = diskWithJournal();
    const full = new Error("no space");
    const journal = openJournal(files, {
      publicKey: KEY.publicKey,
      isBlocking,
      onDurable: () => {
        throw full;
      },
    });
    journal.append(voteRecord(notarize(3)));
    const outcome = await Promise.resolve()
      .then(() => journal.sync())
      .catch((error: unknown) => error);
    expect(outcome).toBe(full);
    expect([journal.hasFailed, journal.book.isDurable(notarize(3))]).toEqual([true, false]);
    expect(() => journal.append(voteRecord(notarize(4)))).toThrow(full);
  }
});

test("journal: opened again, it reaches as far as its votes and its floor", () => {
  const { files } = diskWithJournal();
  const options = { publicKey: KEY.publicKey, isBlocking: true };
  const journal = openJournal(files, options);
  expect(journal.reach).toEqual(at(0));
  journal.append(voteRecord(notarize(5)));
  journal.append({ kind: "floor", round: at(9) });
  journal.syncNow();
  journal.close();
  const again = openJournal(files, options);
  expect(again.reach).toEqual(at(9));
});
