import { expect, test } from "bun:test";
import type { RecoveryStatus, Round } from "../../../src/consensus/index.ts";
import { localSigner, nativeSuite, sha256 } from "../../../src/crypto/index.ts";
import { Prng, utf8 } from "../../../src/kernel/index.ts";
import { VOTE_KIND } from "../../../src/protocol/index.ts";
import type { MemoryFileSystem } from "../../../src/storage/index.ts";
import { decodeHistory, encodeHistory, historyOf, mergeHistory, type SigningHistory, VoteGuard } from "../../../src/validator/index.ts";
import {
  CHAIN_ID,
  certificate,
  diskWithJournal,
  filesOn,
  finalize,
  KEY,
  notarize,
  nullify,
  open,
  proposalRecord,
  voteRecord,
} from "./samples.ts";

const { verify } = nativeSuite;
const OF = { chainId: CHAIN_ID, publicKey: KEY.publicKey };
const GENESIS: Round = { epoch: 0, view: 0 };

/** A history as a journal with these records gives it. */
function historyWith(
  records: SigningHistory["records"],
  floor: Round = GENESIS,
  recovery: RecoveryStatus = { kind: "intact" },
): SigningHistory {
  return { ...OF, exportedAtMs: 11, floor, recovery, records };
}

/** Merges into the journal of a disk, as a command on a stopped node does. */
function mergeOn(fs: MemoryFileSystem, history: SigningHistory, tip: Round = GENESIS) {
  const journal = open(filesOn(fs));
  const merged = mergeHistory(journal, history, tip);
  journal.close();
  return merged;
}

/** What the guard of a fresh start says of a vote that it is asked for, once that is journaled where it may be. */
function guardSays(fs: MemoryFileSystem, statement: ReturnType<typeof notarize>): string {
  const journal = open(filesOn(fs));
  const refusal = journal.book.check(statement);
  if (!refusal) {
    journal.append(voteRecord(statement));
    journal.syncNow();
  }
  const verdict = refusal ?? new VoteGuard(journal, KEY, CHAIN_ID).check(statement) ?? "signs";
  journal.close();
  return verdict;
}

test("history: of a journal, holds its votes with what they rest on; encoded it reads back", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  const records = [
    voteRecord(notarize(3)),
    proposalRecord(3),
    { kind: "certificate", certificate: certificate(VOTE_KIND.nullify, 4) },
    voteRecord(nullify(5)),
  ] as const;
  for (const record of records) journal.append(record);
  journal.syncNow();
  journal.close();
  const history = historyOf(open(filesOn(fs)), { ...OF, exportedAtMs: 11 });
  expect(history).toEqual(historyWith(records));
  const encoded = encodeHistory(historyWith(records), KEY);
  expect(decodeHistory(encoded, OF, verify)).toEqual({ ok: true, value: historyWith(records) });
});

test("history: of a lost journal, there is none", () => {
  const { fs } = diskWithJournal();
  fs.wipe("/home/journal");
  expect(historyOf(open(filesOn(fs)), { ...OF, exportedAtMs: 1 })).toBeUndefined();
});

test("history: every cut and every altered byte, is refused", () => {
  const bytes = encodeHistory(historyWith([voteRecord(notarize(3)), voteRecord(finalize(3))]), KEY);
  for (let at = 0; at < bytes.length; at++) {
    expect(decodeHistory(bytes.subarray(0, at), OF, verify)).toEqual({ ok: false, error: "malformed" });
    const altered = bytes.slice();
    altered[at] = (altered[at] ?? 0) ^ (1 << (at % 8));
    expect(decodeHistory(altered, OF, verify).ok).toBe(false);
  }
  expect(decodeHistory(new Uint8Array([...bytes, 0]), OF, verify)).toEqual({ ok: false, error: "malformed" });
});

test("history: of another key, of another chain or signed by another key, is refused by name", () => {
  const other = localSigner(sha256(utf8("another seed")));
  const bytes = encodeHistory(historyWith([]), KEY);
  expect(decodeHistory(bytes, { ...OF, publicKey: other.publicKey }, verify)).toEqual({ ok: false, error: "otherKey" });
  expect(decodeHistory(bytes, { ...OF, chainId: sha256(utf8("other chain")) }, verify)).toEqual({ ok: false, error: "otherChain" });
  const forged = { publicKey: KEY.publicKey, sign: (message: Uint8Array) => other.sign(message) };
  expect(decodeHistory(encodeHistory(historyWith([]), forged), OF, verify)).toEqual({ ok: false, error: "badSignature" });
});

test("history: any bytes, are refused without throwing", () => {
  const prng = new Prng(8);
  for (let i = 0; i < 500; i++) expect(decodeHistory(prng.bytes(prng.below(300)), OF, verify).ok).toBe(false);
});

test("merge: into a fresh journal, binds it by every vote: the same is signed again, another is not", () => {
  const { fs } = diskWithJournal();
  const merged = mergeOn(fs, historyWith([voteRecord(notarize(3, "a")), voteRecord(finalize(3, "a")), voteRecord(nullify(4))]));
  expect(merged).toEqual({ ok: true, value: { added: 3, recovery: { kind: "intact" } } });
  expect(guardSays(fs, notarize(3, "a"))).toBe("signs");
  expect(guardSays(fs, notarize(3, "b"))).toBe("conflict");
  expect(guardSays(fs, nullify(3))).toBe("conflict");
  expect(guardSays(fs, finalize(4, "a"))).toBe("conflict");
  expect(guardSays(fs, notarize(5, "c"))).toBe("signs");
});

test("merge: a floor that the chain here reaches, becomes the journal's; one above it a gate", () => {
  const here = diskWithJournal().fs;
  expect(mergeOn(here, historyWith([], { epoch: 2, view: 9 }), { epoch: 2, view: 9 })).toMatchObject({
    ok: true,
    value: { recovery: { kind: "intact" } },
  });
  expect(open(filesOn(here)).replay()).toMatchObject({ kind: "intact", floor: { epoch: 2, view: 9 } });
  expect(guardSays(here, notarize(9, "x", 2))).toBe("belowFloor");
  expect(guardSays(here, notarize(10, "x", 2))).toBe("signs");

  const behind = diskWithJournal().fs;
  const gate = { kind: "gated", epoch: 2, firstView: 10 } as const;
  expect(mergeOn(behind, historyWith([], { epoch: 2, view: 9 }), { epoch: 2, view: 8 })).toEqual({
    ok: true,
    value: { added: 0, recovery: gate },
  });
  expect(open(filesOn(behind)).replay()).toMatchObject({ kind: "intact", floor: GENESIS, recovery: gate });
  expect(guardSays(behind, notarize(9, "x", 2))).toBe("recovering");
  expect(guardSays(behind, notarize(10, "x", 2))).toBe("signs");
});

test("merge: by maximum, whichever side forbids more", () => {
  const statuses: readonly RecoveryStatus[] = [
    { kind: "intact" },
    { kind: "gated", epoch: 1, firstView: 4 },
    { kind: "gated", epoch: 1, firstView: 7 },
    { kind: "gated", epoch: 2, firstView: 1 },
    { kind: "recovering" },
  ];
  const strictest = (a: RecoveryStatus, b: RecoveryStatus): RecoveryStatus => {
    const { fs, files } = diskWithJournal();
    const journal = open(files);
    journal.append({ kind: "recovery", status: a });
    journal.syncNow();
    journal.close();
    const merged = mergeOn(fs, historyWith([], GENESIS, b));
    expect(merged.ok).toBe(true);
    const after = open(filesOn(fs)).replay();
    return after.kind === "intact" ? after.recovery : { kind: "recovering" };
  };
  for (const [i, a] of statuses.entries()) {
    for (const [j, b] of statuses.entries()) {
      const top = statuses[Math.max(i, j)] ?? a;
      // Gates of two epochs leave no round free: each speaks for its own.
      const isOfTwoEpochs = top.kind === "gated" && top.epoch === 2 && [a, b].some((s) => s.kind === "gated" && s.epoch === 1);
      expect([a, b, strictest(a, b)]).toEqual([a, b, isOfTwoEpochs ? { kind: "recovering" } : top]);
    }
  }
});

test("merge: an older history, changes nothing; the same one twice neither", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  for (const record of [voteRecord(notarize(3, "a")), voteRecord(finalize(3, "a")), voteRecord(notarize(4, "b"))]) journal.append(record);
  journal.append({ kind: "floor", round: { epoch: 0, view: 2 } });
  journal.syncNow();
  journal.close();
  const before = open(filesOn(fs)).replay();
  const older = historyWith([voteRecord(nullify(1)), voteRecord(notarize(3, "a"))], { epoch: 0, view: 0 });
  expect(mergeOn(fs, older, { epoch: 0, view: 2 })).toEqual({ ok: true, value: { added: 0, recovery: { kind: "intact" } } });
  expect(open(filesOn(fs)).replay()).toEqual(before);
});

test("merge: histories that contradict each other, are refused and leave the journal as it was", () => {
  for (const [own, comes] of [
    [notarize(3, "a"), notarize(3, "b")],
    [nullify(3), finalize(3, "a")],
    [nullify(3), notarize(3, "a")],
  ] as const) {
    const { fs, files } = diskWithJournal();
    const journal = open(files);
    journal.append(voteRecord(own));
    journal.syncNow();
    journal.close();
    const before = open(filesOn(fs)).replay();
    expect(mergeOn(fs, historyWith([voteRecord(comes)])).ok).toBe(false);
    expect(open(filesOn(fs)).replay()).toEqual(before);
  }
});

test("merge: cut short anywhere, leaves a journal that lacks nothing to sign by: as it was, recovering, or whole", () => {
  const records = [voteRecord(notarize(3, "a")), voteRecord(finalize(3, "a")), voteRecord(nullify(4))];
  const counts = new Map<string, number>();
  for (let cut = 1; cut < 60; cut++) {
    let left = cut;
    let isArmed = false;
    const { fs } = diskWithJournal({
      prng: new Prng(cut),
      onEffect: () => {
        if (isArmed && --left <= 0) throw new Error("power went");
      },
    });
    isArmed = true;
    try {
      mergeOn(fs, historyWith(records));
    } catch (error) {
      if (!(error instanceof Error && error.message === "power went")) throw error;
    }
    isArmed = false;
    fs.crash();
    const replay = open(filesOn(fs)).replay();
    const votes = replay.kind === "intact" ? replay.records.length : -1;
    const status = replay.kind === "intact" ? replay.recovery.kind : "lost";
    counts.set(status, (counts.get(status) ?? 0) + 1);
    expect([cut, status === "intact" && votes !== 0 && votes !== records.length]).toEqual([cut, false]);
  }
  expect([(counts.get("intact") ?? 0) > 0, (counts.get("recovering") ?? 0) > 0]).toEqual([true, true]);
});
