import { expect, test } from "bun:test";
import { present, toHex } from "../../src/kernel/index.ts";
import { checkEvidence, decodeEvidence, proposalIdOf, VOTE_KIND } from "../../src/protocol/index.ts";
import { FRESH_JOURNAL, type MadeProposal, Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

/** A rig that notarized the proposal of view 1 (led by validator 1). */
function rigWithNotarize(): { rig: Rig; made: MadeProposal } {
  const rig = new Rig();
  const made = rig.propose(1);
  rig.from(1, made.message);
  expect(rig.cast).toEqual(["NOTARIZE 0:1"]);
  return { rig, made };
}

test("R5: an armed view without a valid proposal, is nullified at the proposal deadline and not before", () => {
  const rig = new Rig();
  rig.work();
  rig.pass(399);
  expect(rig.cast).toEqual([]);
  rig.pass(1);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
});

test("R5: a view with our NOTARIZE that is not certified, is nullified at the certification deadline", () => {
  const { rig } = rigWithNotarize();
  rig.work();
  rig.pass(799);
  expect(rig.cast).toEqual(["NOTARIZE 0:1"]);
  rig.pass(1);
  expect(rig.cast).toEqual(["NOTARIZE 0:1", "NULLIFY 0:1"]);
});

test("R5: the leader's own NULLIFY, ends the view at once; anyone else's does not", () => {
  const rig = new Rig();
  rig.vote([2], nullify, 1);
  expect(rig.cast).toEqual([]);
  rig.vote([1], nullify, 1);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
});

test("R5: after NULLIFY, no NOTARIZE and no FINALIZE in the view", () => {
  const rig = new Rig();
  rig.work();
  rig.pass(400);
  const made = rig.propose(1);
  rig.from(1, made.message);
  rig.show(rig.certificate([1, 2, 3], notarize, 1, made.proposal));
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
  expect(rig.core.blocks.get(toHex(made.proposal.blockHash))?.status).toBe("valid");
});

test("R5: after FINALIZE, no NULLIFY in the view", () => {
  const { rig, made } = rigWithNotarize();
  rig.vote([2], notarize, 1, made.id);
  expect(rig.cast).toEqual(["NOTARIZE 0:1", "FINALIZE 0:1"]);
  rig.work();
  rig.vote([1], nullify, 1);
  rig.pass(20_000);
  expect(rig.cast).not.toContain("NULLIFY 0:1");
});

test("R5: a FINALIZE that only the journal knows of, still bars NULLIFY in its view", () => {
  const first = rigWithNotarize();
  first.rig.vote([2], notarize, 1, first.made.id);
  const records = first.rig.journal.filter((record) => record.kind === "vote");
  expect(records).toHaveLength(2);
  const rig = new Rig({ replay: { ...FRESH_JOURNAL, records } });
  rig.work();
  rig.vote([1, 2], nullify, 1);
  rig.pass(20_000);
  expect(rig.cast).not.toContain("NULLIFY 0:1");
});

test("R5: until the view is left, our votes, how we entered it and the proposal held go out again", () => {
  const { rig } = rigWithNotarize();
  rig.work();
  rig.pass(800);
  const count = rig.votes.length;
  rig.pass(1_200);
  expect(rig.cast.slice(count)).toEqual(["NOTARIZE 0:1", "NULLIFY 0:1"]);
  expect(rig.votes[count]).toEqual(present(rig.votes[0], "a first vote"));
  expect(rig.sentOf("proposal").length).toBeGreaterThan(0);
});

test("R5: a deadline or retry without a reason left, sends nothing", () => {
  const rig = new Rig();
  rig.work();
  rig.input({ kind: "work", hasWork: false });
  rig.pass(5_000);
  expect(rig.cast).toEqual([]);
  rig.input({ kind: "work", hasWork: true });
  rig.pass(400);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
  rig.input({ kind: "work", hasWork: false });
  rig.pass(10_000);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
  rig.input({ kind: "work", hasWork: true });
  expect(rig.cast).toEqual(["NULLIFY 0:1", "NULLIFY 0:1"]);
});

test("R5: deadlines grow with every nullified view up to the cap, and return with a finalization", () => {
  const rig = new Rig();
  for (let view = 1; view <= 20; view++) rig.show(rig.nullification(view));
  const waited = 21;
  expect(rig.status.view).toBe(waited);
  rig.work();
  rig.pass(9_999);
  expect(rig.cast).toEqual([]);
  rig.pass(1);
  expect(rig.cast).toEqual([`NULLIFY 0:${waited}`]);
  const made = rig.propose(22, undefined);
  rig.show(rig.certificate([1, 2, 3], finalize, 22, { ...made.proposal, parentView: 0 }));
  expect(rig.core.epoch.nullifiedViews).toBe(0);
});

test("R7: a notarized valid block, is finalized, also after its view was left", () => {
  const { rig, made } = rigWithNotarize();
  rig.show(rig.nullification(2));
  expect(rig.status.view).toBe(3);
  rig.show(rig.certificate([1, 2, 3], notarize, 1, made.proposal));
  expect(rig.cast).toEqual(["NOTARIZE 0:1", "FINALIZE 0:1"]);
});

test("R7: FINALIZE waits, until the block and its ancestry are local and valid", () => {
  const rig = new Rig();
  const first = rig.propose(1);
  rig.chain.check(first.block);
  const certificate = rig.certificate([1, 2, 3], notarize, 1, first.proposal);
  const second = rig.propose(2, { proposal: first.proposal, certificate });
  rig.chain.restart();
  rig.show(rig.certificate([1, 2, 3], notarize, 2, second.proposal));
  rig.pass(150);
  rig.from(2, { kind: "block", block: second.block });
  expect(rig.cast).toEqual([]);
  rig.pass(150);
  rig.from(2, { kind: "block", block: first.block });
  expect(rig.cast).toEqual(["FINALIZE 0:2"]);
});

test("R7: after a NOTARIZE for another proposal or an equivocation of the leader, nothing is finalized", () => {
  const { rig } = rigWithNotarize();
  const rival = rig.propose(1, undefined, { timeMs: rig.wallMs + 9 });
  rig.show(rig.certificate([1, 2, 3], notarize, 1, rival.proposal));
  rig.pass(150);
  rig.from(2, { kind: "block", block: rival.block });
  expect(rig.cast).toEqual(["NOTARIZE 0:1"]);
  const other = new Rig();
  const [a, b] = [other.propose(1), other.propose(1, undefined, { timeMs: other.wallMs + 9 })];
  other.vote([1], notarize, 1, b.id);
  other.show(other.certificate([1, 2, 3], notarize, 1, a.proposal));
  other.pass(150);
  other.from(2, { kind: "block", block: a.block });
  expect(other.core.epoch.views.get(1)?.isEquivocated).toBe(true);
  expect(other.cast).toEqual([]);
});

test("R8: a finalization, commits the block and all its ancestors in height order and prunes below", () => {
  const rig = new Rig();
  const first = rig.propose(1);
  rig.from(1, first.message);
  const certificate = rig.certificate([1, 2, 3], notarize, 1, first.proposal);
  rig.show(certificate);
  const second = rig.propose(2, { proposal: first.proposal, certificate });
  rig.from(2, second.message);
  expect(rig.status.height).toBe(0);
  rig.show(rig.certificate([1, 2, 3], finalize, 2, second.proposal));
  expect(rig.chain.committed.map((final) => final.block.header.height)).toEqual([1, 2]);
  expect(rig.status.floor).toEqual({ epoch: 0, view: 2 });
  expect(rig.core.blocks.size).toBe(0);
  expect(rig.pruned).toEqual([{ epoch: 0, view: 2 }]);
});

test("R8: a finalization of a rival of the chain or of a block that fails our check, stops everything", () => {
  const rig = new Rig();
  const bad = rig.propose(1, undefined, { stateRoot: new Uint8Array(32) });
  rig.show(rig.certificate([1, 2, 3], finalize, 1, bad.proposal));
  rig.pass(150);
  rig.from(2, { kind: "block", block: bad.block });
  expect(rig.halts).toHaveLength(1);
  const count = rig.sent.length;
  rig.work();
  rig.pass(5_000);
  expect(rig.sent.length).toBe(count);
});

test("R11: conflicting votes of every kind, convict their signer; NOTARIZE with NULLIFY does not", () => {
  const rig = new Rig();
  const [a, b] = [rig.propose(1).id, rig.propose(1, undefined, { timeMs: rig.wallMs + 9 }).id];
  rig.vote([1], notarize, 1, a);
  rig.vote([1], nullify, 1);
  expect(rig.core.evidence.size).toBe(0);
  rig.vote([2], notarize, 1, a);
  rig.vote([2], notarize, 1, b);
  rig.vote([3], nullify, 2);
  rig.vote([3], finalize, 2, a);
  rig.vote([3], notarize, 3, a);
  rig.vote([3], finalize, 3, b);
  rig.vote([1], finalize, 4, a);
  rig.vote([1], finalize, 4, b);
  const convicted = [...rig.core.evidence.values()].map((encoded) => {
    const evidence = decodeEvidence(encoded);
    if (!evidence.ok) throw new Error("evidence decodes");
    const verdict = checkEvidence(evidence.value, rig.set, rig.core.config.chainId, rig.suite);
    return verdict.ok ? verdict.value.signer : verdict.error;
  });
  expect(convicted).toEqual([2, 3, 3, 1]);
});

test("R11: evidence, goes into the next block once and is checked by the others", () => {
  const rig = new Rig({ self: 1 });
  const [a, b] = [rig.propose(1).id, rig.propose(1, undefined, { timeMs: rig.wallMs + 9 }).id];
  rig.vote([3], finalize, 9, a);
  rig.vote([3], finalize, 9, b);
  rig.work();
  const [message] = rig.sentOf("proposal");
  const block = present(message, "a proposal").block;
  expect(block.evidence).toHaveLength(1);
  const id = proposalIdOf(present(message, "a proposal").proposal);
  rig.vote([0, 2, 3], notarize, 1, id);
  rig.vote([0, 2, 3], finalize, 1, id);
  expect(rig.status.height).toBe(1);
  expect(rig.core.evidence.size).toBe(0);
});
