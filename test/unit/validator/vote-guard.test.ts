import { expect, test } from "bun:test";
import { verifyEd25519 } from "../../../src/crypto/index.ts";
import { Prng, toHex } from "../../../src/kernel/index.ts";
import { isConflict, VOTE_KIND, type Vote, type VoteStatement, voteSignBytes } from "../../../src/protocol/index.ts";
import { isStorageError } from "../../../src/storage/index.ts";
import { type ConsensusJournal, VoteGuard, VoteRefused } from "../../../src/validator/index.ts";
import { CHAIN_ID, diskWithJournal, finalize, KEY, notarize, nullify, open, voteRecord } from "./samples.ts";

function guardOn(journal: ConsensusJournal): VoteGuard {
  return new VoteGuard(journal, KEY, CHAIN_ID);
}

function signed(guard: VoteGuard, statement: VoteStatement): Vote {
  const vote = guard.sign(statement, 2);
  if (vote instanceof Promise) throw new Error("a local key signs at once");
  return vote;
}

test("vote guard: a durable vote, is signed over the vote's bytes", () => {
  const journal = open(diskWithJournal().files);
  journal.append(voteRecord(notarize(1)));
  journal.syncNow();
  const vote = signed(guardOn(journal), notarize(1));
  expect(verifyEd25519(KEY.publicKey, voteSignBytes(CHAIN_ID, notarize(1)), vote.signature)).toBe(true);
  expect(vote.signer).toBe(2);
});

test("vote guard: the same vote after a restart, is byte-identical", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  journal.append(voteRecord(finalize(4)));
  journal.syncNow();
  const first = signed(guardOn(journal), finalize(4));
  fs.crash();
  expect(signed(guardOn(open(files)), finalize(4))).toEqual(first);
});

test("vote guard: what is not journaled, not synced, or contradicts the journal, is refused", () => {
  const journal = open(diskWithJournal().files);
  const guard = guardOn(journal);
  expect(guard.check(notarize(1))).toBe("notDurable");
  journal.append(voteRecord(notarize(1)));
  expect(guard.check(notarize(1))).toBe("notDurable");
  expect(() => guard.sign(notarize(1), 0)).toThrow(VoteRefused);
  journal.syncNow();
  expect(guard.check(notarize(1))).toBeUndefined();
  expect(guard.check(notarize(1, "another block"))).toBe("conflict");
  expect(guard.check(finalize(1, "another block"))).toBe("conflict");
  journal.append(voteRecord(nullify(1)));
  journal.syncNow();
  expect(guard.check(nullify(1))).toBeUndefined();
  expect(guard.check(finalize(1))).toBe("conflict");
  journal.append(voteRecord(nullify(2)));
  journal.syncNow();
  expect(guard.check(notarize(2))).toBe("afterNullify");
});

test("vote guard: while recovering and below the gate, is silent", () => {
  const journal = open(diskWithJournal().files);
  journal.append(voteRecord(notarize(9)));
  journal.append({ kind: "recovery", status: { kind: "recovering" } });
  journal.syncNow();
  expect(guardOn(journal).check(notarize(9))).toBe("recovering");
  journal.append({ kind: "recovery", status: { kind: "gated", epoch: 0, firstView: 12 } });
  journal.append(voteRecord(notarize(12)));
  journal.syncNow();
  expect(guardOn(journal).check(notarize(9))).toBe("recovering");
  expect(guardOn(journal).check(notarize(12))).toBeUndefined();
});

test("vote guard: random requests, failures and crashes, never give two conflicting signed votes", () => {
  let signedCount = 0;
  let crashCount = 0;
  for (let seed = 0; seed < 100; seed++) {
    const prng = new Prng(seed);
    const { fs, files } = diskWithJournal({ prng: new Prng(seed), hasGarbledSectors: true });
    const votes = new Map<string, Vote>();
    let journal = open(files);
    for (let i = 0; i < 60; i++) {
      const statement = draw(prng);
      if (prng.chance(0.05)) fs.failingSyncCount = 1;
      const outcome = request(journal, statement, prng);
      if (outcome === "failed" || prng.chance(0.1)) {
        crashCount++;
        fs.failingSyncCount = 0;
        if (prng.chance(0.5)) fs.crash();
        else fs.kill();
        journal = open(files);
        expect(journal.replay().kind).toBe("intact");
      } else if (typeof outcome === "object") {
        signedCount++;
        votes.set(toHex(outcome.signature), outcome);
      }
    }
    const all = [...votes.values()];
    for (const a of all) for (const b of all) expect(isConflict(a, b)).toBe(false);
  }
  expect(signedCount).toBeGreaterThan(600);
  expect(crashCount).toBeGreaterThan(300);
}, 120_000);

function draw(prng: Prng): VoteStatement {
  const view = 1 + prng.below(5);
  const name = `block ${view} ${prng.below(2)}`;
  const kind = prng.below(3) + 1;
  return kind === VOTE_KIND.nullify ? nullify(view) : kind === VOTE_KIND.notarize ? notarize(view, name) : finalize(view, name);
}

/** What a caller without any rules of its own would do: journal if the book lets it, maybe sync, ask for a signature. */
function request(journal: ConsensusJournal, statement: VoteStatement, prng: Prng): Vote | "refused" | "failed" {
  try {
    if (prng.chance(0.9) && !journal.book.check(statement)) journal.append(voteRecord(statement));
    if (prng.chance(0.8)) journal.syncNow();
    return signed(guardOn(journal), statement);
  } catch (error) {
    if (error instanceof VoteRefused) return "refused";
    if (isStorageError(error)) return "failed";
    throw error;
  }
}
