import { expect, test } from "bun:test";
import type { RecoveryStatus } from "../../src/consensus/index.ts";
import { present } from "../../src/kernel/index.ts";
import { type Certificate, type ValidatorSet, VOTE_KIND } from "../../src/protocol/index.ts";
import type { VoteKey } from "../../src/validator/index.ts";
import { setOf } from "../sim/keys.ts";
import { FRESH_JOURNAL, LOST_JOURNAL, type MadeProposal, Rig, type RigOptions } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

/** Five keys. Epoch 0 has the first four; from epoch 1 on the fifth is in the place of the fourth. Weights 2, 3, 3, 3: F = 3, Q = 8. */
function rotating(epoch: number, keys: readonly VoteKey[]): ValidatorSet {
  const members = keys.filter((_, i) => i !== (epoch === 0 ? 4 : 3));
  return setOf(members, [2n, 3n, 3n, 3n]);
}

const [OLD, NEW] = [3, 4];

function makeRig(options: RigOptions = {}): Rig {
  return new Rig({ weights: [1n, 1n, 1n, 1n, 1n], epochBlocks: 1, setOf: rotating, ...options });
}

/** Shows the box the boundary block of epoch 0 and its finalization. */
function endEpoch(rig: Rig): MadeProposal {
  const boundary = rig.propose(1);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, boundary.proposal));
  rig.pass(200);
  rig.from(1, { kind: "block", block: boundary.block });
  expect(rig.status.epoch).toBe(1);
  return boundary;
}

test("R12: a key that joins with the next epoch, only follows before and votes from then on", () => {
  const rig = makeRig({ self: NEW });
  rig.work();
  rig.pass(5_000);
  expect([rig.cast, rig.status.voting]).toEqual([[], "following"]);
  endEpoch(rig);
  expect(rig.status.voting).toBe("voting");
  rig.work();
  rig.pass(500);
  expect(rig.cast.every((vote) => vote.includes(" 1:"))).toBe(true);
  expect(rig.cast.length).toBeGreaterThan(0);
  expect(rig.votes.every(({ signer }) => signer === OLD)).toBe(true); // the place in the set is the same
});

test("R12: a key that left the set, votes no more, follows on and answers voters of its last epoch", () => {
  const rig = makeRig({ self: OLD });
  const boundary = endEpoch(rig);
  rig.work();
  rig.pass(5_000);
  expect([rig.cast.filter((vote) => vote.includes(" 1:")), rig.status.voting]).toEqual([[], "following"]);
  rig.from(2, { kind: "vote", vote: rig.makeVote(2, nullify, 2, undefined, 0) });
  const answer = rig.sent.filter(({ to, message }) => to === rig.peer(2) && message.kind === "certificates").at(-1);
  expect(answer?.message).toMatchObject({ certificates: [{ kind: finalize, epoch: 0, view: 1, proposal: boundary.proposal }] });
  const next = rig.propose(1, undefined);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, next.proposal));
  rig.pass(200);
  rig.from(1, { kind: "block", block: next.block });
  expect([rig.status.epoch, rig.status.height]).toEqual([2, 2]);
});

test("R0: in the next epoch, the old key's votes count for nothing and its contradictions in the old one convict it", () => {
  const rig = makeRig();
  endEpoch(rig);
  rig.from(OLD, { kind: "vote", vote: rig.makeVote(OLD, nullify, 1) });
  expect(rig.refusals).toEqual(["notItsSigner"]);
  rig.from(NEW, { kind: "vote", vote: rig.makeVote(OLD, nullify, 1) });
  expect(rig.core.epoch.views.get(1)?.votes.get(OLD)?.nullify?.epoch).toBe(1);
  const [a, b] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  rig.from(OLD, { kind: "vote", vote: rig.makeVote(OLD, finalize, 2, a, 0) });
  rig.from(OLD, { kind: "vote", vote: rig.makeVote(OLD, finalize, 2, b, 0) });
  expect([rig.refusals.length, rig.core.evidence.size]).toEqual([1, 1]);
});

test("R4: weight Q of the new set, and not of the old one, makes a certificate in the new epoch", () => {
  const rig = makeRig();
  endEpoch(rig);
  const before = rig.status.view;
  const ofOldKeys = rig.certificate([1, 2, 3], nullify, 1);
  const forged = { ...ofOldKeys, signatures: ofOldKeys.signatures.with(2, rig.key(OLD).sign(new Uint8Array(1)) as Uint8Array) };
  rig.from(1, { kind: "certificates", certificates: [forged] });
  expect([rig.status.view, rig.refusals]).toEqual([before, ["badCertificate"]]);
  rig.vote([1, 2], nullify, 1);
  expect(rig.status.view).toBe(before);
  rig.from(NEW, { kind: "vote", vote: rig.makeVote(OLD, nullify, 1) });
  expect(rig.status.view).toBe(before + 1);
});

test("R14: answers from a later epoch with another set, are caught up with first and counted by the new weights", () => {
  const rig = makeRig({ replay: LOST_JOURNAL });
  rig.pass(100);
  const boundary = rig.propose(1);
  const opening = rig.certificate([1, 2, 3], finalize, 1, boundary.proposal);
  const highest = rig.certificate([1, 2, 3], nullify, 5, undefined, 1);
  const token = present(rig.core.recovery, "it asks").token;
  for (const from of [1, 2, OLD]) rig.from(from, { kind: "recoveryAnswer", token, isRecovering: false, opening, highest });
  expect(rig.status.recovery.kind).toBe("recovering");
  rig.pass(200);
  rig.from(1, { kind: "finalBlocks", blocks: [boundary.block], finalization: opening });
  expect(rig.status.epoch).toBe(1);
  rig.pass(20_000);
  rig.from(OLD, { kind: "recoveryAnswer", token, isRecovering: false, opening, highest });
  rig.from(1, { kind: "recoveryAnswer", token, isRecovering: false, opening, highest });
  rig.from(2, { kind: "recoveryAnswer", token, isRecovering: false, opening });
  expect(rig.status.recovery.kind).toBe("recovering");
  rig.from(NEW, { kind: "recoveryAnswer", token, isRecovering: false, opening });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 1, firstView: 8 });
});

/** Seven keys of weight 1. Epoch 0 has the first four, epoch 1 the first and the last three: three of four change at once. */
function restaffed(epoch: number, keys: readonly VoteKey[]): ValidatorSet {
  const members = keys.filter((_, i) => i === 0 || (epoch === 0 ? i < 4 : i > 3));
  return setOf(members, [1n, 1n, 1n, 1n]);
}

function makeRestaffed(recovery: RecoveryStatus): Rig {
  return new Rig({
    weights: [1n, 1n, 1n, 1n, 1n, 1n, 1n],
    epochBlocks: 1,
    setOf: restaffed,
    replay: { ...FRESH_JOURNAL, recovery },
  });
}

/** Ends epoch 0 for a box that may have to ask. */
function restaff(rig: Rig): Certificate {
  const boundary = rig.propose(1);
  const opening = rig.certificate([1, 2, 3], finalize, 1, boundary.proposal);
  rig.show(opening);
  rig.pass(200);
  rig.from(1, { kind: "block", block: boundary.block });
  expect(rig.status.epoch).toBe(1);
  return opening;
}

test("R14: most of the set changes at a boundary, the gate that the old set gave lets nothing be signed in the new one", () => {
  const rig = makeRestaffed({ kind: "gated", epoch: 0, firstView: 3 });
  const opening = restaff(rig);
  rig.work();
  // The new members went on to view 2 with the vote that was lost; none of the old set ever saw them do so.
  rig.show(rig.certificate([1, 2, 3], nullify, 1));
  rig.pass(20_000);
  expect([rig.cast, rig.status.voting]).toEqual([[], "recovering"]);
  const highest = rig.certificate([1, 2, 3], nullify, 4);
  const token = present(rig.core.recovery, "it asks").token;
  for (const old of [1, 2, 3]) rig.from(old, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 3 });
  rig.from(4, { kind: "recoveryAnswer", token, isRecovering: false, opening, highest });
  rig.from(5, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 3 });
  rig.from(6, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 1, firstView: 7 });
});

test("R14: answers that the old set gave, count in the new one only for who is in both", () => {
  const rig = makeRestaffed({ kind: "recovering" });
  const token = present(rig.core.recovery, "it asks").token;
  for (const old of [1, 2]) rig.from(old, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery.kind).toBe("recovering");
  restaff(rig);
  for (const fresh of [4, 5]) rig.from(fresh, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery.kind).toBe("recovering");
  rig.from(6, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 1, firstView: 2 });
});

test("R14: a gate that ended before the epoch did, leaves the next one free whoever is in it", () => {
  const rig = makeRestaffed({ kind: "intact" });
  restaff(rig);
  expect(rig.status.recovery.kind).toBe("intact");
  rig.work();
  rig.pass(5_000);
  expect(rig.sentOf("recoveryRequest")).toEqual([]);
});

test("R15: a box greeted by a set that is no more, waits for the new one before its first vote", () => {
  const rig = makeRig({ isGreeted: false });
  rig.greet([1, 2, OLD]);
  expect(rig.core.isGreeted).toBe(true);
  rig.input({ kind: "peerDown", peer: rig.peer(1) });
  rig.input({ kind: "peerUp", peer: rig.peer(1) });
  endEpoch(rig);
  rig.work();
  rig.pass(3_000);
  expect(rig.cast.filter((vote) => vote.includes(" 1:"))).toEqual([]);
  for (const from of [1, NEW]) rig.from(from, { kind: "helloAnswer", token: rig.core.helloToken, votesOfYours: [] });
  rig.pass(3_000);
  expect(rig.cast.filter((vote) => vote.includes(" 1:")).length).toBeGreaterThan(0);
});

test("R3: a boundary block notarized under the old set, is repeated and final under it though its header names the new one", () => {
  const rig = makeRig();
  const boundary = rig.propose(1);
  rig.from(rig.leaderOf(1), boundary.message);
  rig.show(rig.certificate([1, 2, 3], notarize, 1, boundary.proposal));
  const again = { epoch: 0, view: 2, parentView: 1, blockHash: boundary.proposal.blockHash };
  rig.show(rig.certificate([1, 2, 3], finalize, 2, again));
  expect([rig.status.epoch, rig.core.epoch.opening?.view]).toEqual([1, 2]);
});
