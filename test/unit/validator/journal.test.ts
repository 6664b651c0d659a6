import { expect, test } from "bun:test";
import { sha256 } from "../../../src/crypto/index.ts";
import { Prng } from "../../../src/kernel/index.ts";
import { VOTE_KIND } from "../../../src/protocol/index.ts";
import { isStorageError, MemoryFileSystem } from "../../../src/storage/index.ts";
import { createJournal, decodeRecord, encodeRecord, openJournal, recoverJournal, type StoredRecord } from "../../../src/validator/index.ts";
import {
  certificate,
  DIRECTORY,
  diskWithJournal,
  filesOn,
  finalize,
  id,
  KEY,
  notarize,
  nullify,
  open,
  proposalRecord,
  replayedVotes,
  voteRecord,
} from "./samples.ts";

test("journal record: every kind, reads back as written", () => {
  const records: StoredRecord[] = [
    { kind: "identity", publicKey: KEY.publicKey },
    voteRecord(notarize(3)),
    voteRecord(nullify(3)),
    voteRecord(finalize(3)),
    { kind: "certificate", certificate: certificate(VOTE_KIND.nullify, 9) },
    { kind: "certificate", certificate: certificate(VOTE_KIND.finalize, 9) },
    proposalRecord(7),
    { kind: "floor", round: { epoch: 2, view: 0 } },
    { kind: "recovery", status: { kind: "intact" } },
    { kind: "recovery", status: { kind: "recovering" } },
    { kind: "recovery", status: { kind: "gated", epoch: 4, firstView: 70_000 } },
  ];
  for (const record of records) expect(decodeRecord(encodeRecord(record))).toEqual({ ok: true, value: record });
});

test("journal record: any bytes, are refused or read back to themselves, without throwing", () => {
  const prng = new Prng(5);
  const seeds = [
    encodeRecord(voteRecord(notarize(3))),
    encodeRecord(proposalRecord(2)),
    encodeRecord({ kind: "floor", round: { epoch: 0, view: 1 } }),
  ];
  for (let i = 0; i < 3_000; i++) {
    const bytes = (seeds[i % seeds.length] ?? new Uint8Array()).slice(0, prng.chance(0.2) ? prng.below(60) : undefined);
    for (let k = prng.below(3); k >= 0 && bytes.length > 0; k--) bytes[prng.below(bytes.length)] = prng.below(256);
    const decoded = decodeRecord(bytes);
    if (decoded.ok) expect(encodeRecord(decoded.value)).toEqual(bytes);
  }
});

test("journal: appended and synced, replays in order after a crash", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  journal.append(proposalRecord(1));
  journal.append(voteRecord(notarize(1)));
  journal.syncNow();
  journal.append({ kind: "certificate", certificate: certificate(VOTE_KIND.notarize, 1) });
  journal.append(voteRecord(finalize(1)));
  journal.syncNow();
  fs.crash();
  const replay = open(files).replay();
  expect(replay.kind === "intact" && replay.records.map((record) => record.kind)).toEqual(["proposal", "vote", "certificate", "vote"]);
});

test("journal: a second one in the same place, is refused", () => {
  const { files } = diskWithJournal();
  expect(() => createJournal(files, KEY.publicKey)).toThrow();
  expect(replayedVotes(open(files))).toEqual([]);
});

test("journal: a crash while a key's journal is made, leaves a whole one or none", () => {
  for (let at = 0; at < 40; at++) {
    let left = -1;
    const fs = new MemoryFileSystem({
      prng: new Prng(at),
      onEffect: () => {
        if (left-- === 0) throw new Error("power cut");
      },
    });
    fs.makeDirectory("/home");
    fs.syncDirectory("/");
    left = at;
    try {
      createJournal(filesOn(fs), KEY.publicKey);
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "power cut") throw error;
    }
    left = -1;
    fs.crash();
    expect(["missing", ""]).toContain(replayedVotes(open(filesOn(fs))).toString());
  }
});

test("journal: pruned, keeps what lies above the floor and the floor itself", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  for (let view = 1; view <= 6_000; view++) {
    journal.append(proposalRecord(view));
    journal.append(voteRecord(notarize(view)));
    if (view % 50 === 0) {
      journal.syncNow();
      journal.prune({ epoch: 0, view: view - 3 });
    }
  }
  journal.syncNow();
  const sizes = fs.files("/home").map((path) => fs.stat(path)?.sizeBytes ?? 0);
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(2.5 * 1024 * 1024);
  fs.crash();
  const again = open(files);
  const replay = again.replay();
  expect(replay.kind === "intact" && replay.floor.view).toBeGreaterThan(3_000);
  expect(replayedVotes(again).slice(-3)).toEqual([notarize(5_998), notarize(5_999), notarize(6_000)]);
});

test("journal: pruned after a recovery, keeps the gate", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  journal.append({ kind: "recovery", status: { kind: "gated", epoch: 0, firstView: 8 } });
  for (let view = 8; view <= 6_000; view++) {
    journal.append(proposalRecord(view));
    if (view % 100 === 0) {
      journal.syncNow();
      journal.prune({ epoch: 0, view });
    }
  }
  journal.syncNow();
  fs.crash();
  const replay = open(files).replay();
  expect(replay.kind === "intact" && replay.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 8 });
});

test("journal: recovered by the operator, starts at the chain's floor and keeps the old one aside", () => {
  const { fs, files } = diskWithJournal();
  fs.wipe(`${DIRECTORY}/00000000.seg`);
  expect(replayedVotes(open(files))).toBe("empty");
  const aside = recoverJournal(files, KEY.publicKey, { epoch: 1, view: 7 });
  expect(aside).toBe(`${DIRECTORY}.lost-1`);
  const replay = open(files).replay();
  expect(replay).toEqual({ kind: "intact", floor: { epoch: 1, view: 7 }, recovery: { kind: "intact" }, records: [] });
  expect(() => recoverJournal(files, KEY.publicKey, { epoch: 1, view: 7 })).toThrow();
});

test("journal: background syncs, settle in order and report a failed one", async () => {
  const { fs, files } = diskWithJournal();
  const journal = openJournal(files, { publicKey: KEY.publicKey });
  journal.append(voteRecord(notarize(1)));
  await journal.sync();
  expect(journal.book.isDurable(notarize(1))).toBe(true);
  journal.append(voteRecord(notarize(2)));
  fs.failingSyncCount = 1;
  const failed = await Promise.resolve(journal.sync()).then(
    () => false,
    (error: unknown) => isStorageError(error),
  );
  expect(failed).toBe(true);
  expect(journal.hasFailed).toBe(true);
  expect(journal.book.isDurable(notarize(2))).toBe(false);
  expect(() => journal.append(voteRecord(notarize(3)))).toThrow();
});

test("journal: of another key, is not continued", () => {
  const { files } = diskWithJournal();
  const other = openJournal(files, { publicKey: id("another key"), isBlocking: true });
  expect(replayedVotes(other)).toBe("damaged");
});

test("journal: the disk refuses to read at opening, nothing is given or set aside, and once it reads the votes are there", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  journal.append(voteRecord(notarize(3)));
  void journal.sync();
  fs.crash();
  for (const from of [0, 150]) {
    fs.failReads(`${DIRECTORY}/00000000.seg`, from);
    const refusal = refusalOf(() => open(files));
    expect(isStorageError(refusal, "ioFailed")).toBe(true);
    expect(String(refusal)).toContain("is left as it is");
    expect(() => recoverJournal(files, KEY.publicKey, { epoch: 0, view: 1 })).toThrow("left as it is");
    expect(fs.stat(`${DIRECTORY}.lost-1`)).toBeUndefined();
    fs.healReads();
  }
  expect(replayedVotes(open(files))).toEqual([notarize(3)]);
});

test("journal: of a later release, is neither given nor set aside", () => {
  const { fs, files } = diskWithJournal();
  const path = `${DIRECTORY}/00000000.seg`;
  const bytes = fs.readFile(path);
  new DataView(bytes.buffer).setUint32(8, 2);
  bytes.set(sha256(bytes.subarray(0, 112)), 112);
  const file = fs.open(path, "readWrite");
  file.write(0, bytes);
  file.sync();
  file.close();
  expect(
    isStorageError(
      refusalOf(() => open(files)),
      "tooNew",
    ),
  ).toBe(true);
  expect(fs.stat(`${DIRECTORY}.lost-1`)).toBeUndefined();
});

function refusalOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}
