import { expect, test } from "bun:test";
import { inclusionPath, leafHash, localSigner, nativeSuite, type Signer, sha256 } from "../../../src/crypto/index.ts";
import { Prng, present, toHex, utf8 } from "../../../src/kernel/index.ts";
import {
  type BatchEvidence,
  checkEvidence,
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  epochOfEvidence,
  isConflict,
  makeBatch,
  makeValidatorSet,
  makeVoteEvidence,
  signTransaction,
  transactionAad,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  voteSignBytes,
} from "../../../src/protocol/index.ts";

const CHAIN_ID = sha256(utf8("a chain with traitors"));
const signers = [1, 2, 3, 4].map((i) => localSigner(sha256(utf8(`traitor ${i}`))));
const made = makeValidatorSet(signers.map(({ publicKey }) => ({ publicKey, owner: publicKey, weight: 1n, reputation: 10_000 })));
if (!made.ok) throw new Error("four validators make a set");
const set = made.value;

function signerAt(index: number): Signer {
  const key = present(set.validators[index], "a member").publicKey;
  return present(
    signers.find((signer) => Bun.deepEquals(signer.publicKey, key)),
    "its signer",
  );
}

function vote(signer: number, kind: VoteKind, name?: string, view = 5): Vote {
  const base = { kind, epoch: 2, view };
  const statement = name ? { ...base, proposalId: sha256(utf8(name)) } : base;
  return { ...statement, signer, signature: signerAt(signer).sign(voteSignBytes(CHAIN_ID, statement)) };
}

function verdictOf(evidence: Evidence): string | number {
  const verdict = checkEvidence(evidence, set, CHAIN_ID, nativeSuite);
  return verdict.ok ? verdict.value.signer : verdict.error;
}

/** Evidence about a batch of three transactions, the middle one as given. */
function batchEvidence(transaction: Uint8Array): BatchEvidence {
  const author = signerAt(1);
  const aad = transactionAad(CHAIN_ID);
  const sound = [0n, 1n].map((nonce) => {
    const body = { type: 1, to: author.publicKey, amount: 1n } as const;
    return signTransaction(author, aad, { sender: author.publicKey, nonce, fee: 1n, validUntil: 9n, body });
  });
  const transactions = [present(sound[0], "a first"), transaction, present(sound[1], "a second")];
  const batch = makeBatch(author, CHAIN_ID, 7, transactions);
  const path = inclusionPath(transactions.map(leafHash), 1);
  return { kind: "batch", epoch: 2, header: batch.header, signature: batch.signature, index: 1, transaction, path };
}

const { notarize, nullify, finalize } = VOTE_KIND;

test("evidence: each conflict of two votes, convicts its signer", () => {
  for (const [a, b] of [
    [vote(2, notarize, "x"), vote(2, notarize, "y")],
    [vote(2, finalize, "x"), vote(2, finalize, "y")],
    [vote(2, nullify), vote(2, finalize, "x")],
    [vote(2, notarize, "x"), vote(2, finalize, "y")],
  ] as const) {
    expect(verdictOf(makeVoteEvidence(a, b))).toBe(2);
    expect(makeVoteEvidence(a, b)).toEqual(makeVoteEvidence(b, a));
  }
});

test("evidence: what an honest validator may do, convicts nobody", () => {
  for (const [a, b] of [
    [vote(2, notarize, "x"), vote(2, nullify)],
    [vote(2, notarize, "x"), vote(2, finalize, "x")],
    [vote(2, notarize, "x"), vote(2, notarize, "x")],
    [vote(2, notarize, "x"), vote(3, notarize, "y")],
    [vote(2, notarize, "x", 5), vote(2, notarize, "y", 6)],
  ] as const) {
    expect(isConflict(a, b)).toBe(false);
    expect(verdictOf(makeVoteEvidence(a, b))).toBe("innocent");
  }
});

test("evidence: a forged vote, a stranger and another chain, convict nobody", () => {
  const [a, b] = [vote(2, notarize, "x"), vote(2, notarize, "y")];
  expect(verdictOf(makeVoteEvidence(a, { ...b, signature: a.signature }))).toBe("badSignature");
  expect(verdictOf(makeVoteEvidence({ ...a, signer: 9 }, { ...b, signer: 9 }))).toBe("unknownSigner");
  const elsewhere = checkEvidence(makeVoteEvidence(a, b), set, sha256(utf8("another chain")), nativeSuite);
  expect(elsewhere).toEqual({ ok: false, error: "badSignature" });
});

test("evidence: a batch with a malformed or badly signed transaction, convicts its author; a sound one nobody", () => {
  const author = signerAt(1);
  const body = { type: 1, to: author.publicKey, amount: 1n } as const;
  const sound = signTransaction(author, transactionAad(CHAIN_ID), { sender: author.publicKey, nonce: 5n, fee: 1n, validUntil: 9n, body });
  const badlySigned = sound.slice();
  badlySigned[badlySigned.length - 1] = (badlySigned.at(-1) ?? 0) ^ 1;
  expect(verdictOf(batchEvidence(utf8("no transaction at all")))).toBe(1);
  expect(verdictOf(batchEvidence(badlySigned))).toBe(1);
  expect(verdictOf(batchEvidence(sound))).toBe("innocent");
  expect(verdictOf({ ...batchEvidence(badlySigned), index: 2 })).toBe("innocent");
  expect(verdictOf({ ...batchEvidence(badlySigned), signature: new Uint8Array(64) })).toBe("badSignature");
});

test("evidence: one fault shown in two ways, is one offence", () => {
  const first = checkEvidence(makeVoteEvidence(vote(2, notarize, "x"), vote(2, notarize, "y")), set, CHAIN_ID, nativeSuite);
  const second = checkEvidence(makeVoteEvidence(vote(2, notarize, "x"), vote(2, finalize, "y")), set, CHAIN_ID, nativeSuite);
  const later = checkEvidence(makeVoteEvidence(vote(2, notarize, "x", 6), vote(2, notarize, "y", 6)), set, CHAIN_ID, nativeSuite);
  expect(first.ok && second.ok && later.ok).toBe(true);
  if (!first.ok || !second.ok || !later.ok) return;
  expect(first.value.offence).toEqual(second.value.offence);
  expect(first.value.offence).not.toEqual(later.value.offence);
});

test("evidence: a faulty batch, one offence in whatever epoch its author is judged", () => {
  const nonsense = batchEvidence(utf8("no transaction at all"));
  const [once, again] = [nonsense, { ...nonsense, epoch: nonsense.epoch + 1 }].map((one) => checkEvidence(one, set, CHAIN_ID, nativeSuite));
  expect(once?.ok && again?.ok && toHex(once.value.offence) === toHex(again.value.offence)).toBe(true);
});

test("evidence: any bytes, are refused or read back to themselves, without throwing", () => {
  const prng = new Prng(8);
  const samples = [makeVoteEvidence(vote(2, nullify), vote(2, finalize, "x")), batchEvidence(utf8("no transaction at all"))].map(
    encodeEvidence,
  );
  for (const sample of samples) {
    const decoded = decodeEvidence(sample);
    expect(decoded.ok && encodeEvidence(decoded.value)).toEqual(sample);
    expect(decoded.ok && epochOfEvidence(decoded.value)).toBe(2);
  }
  for (let i = 0; i < 5_000; i++) {
    const bytes = present(samples[i % 2], "a sample").slice(0, prng.chance(0.1) ? prng.below(300) : undefined);
    for (let k = prng.below(3); k > 0 && bytes.length > 0; k--) bytes[prng.below(bytes.length)] = prng.below(256);
    const decoded = decodeEvidence(bytes);
    if (decoded.ok) expect(encodeEvidence(decoded.value)).toEqual(bytes);
    if (decoded.ok) checkEvidence(decoded.value, set, CHAIN_ID, { ...nativeSuite, verify: () => false });
  }
});
