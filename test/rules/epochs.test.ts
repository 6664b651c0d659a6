import { expect, test } from "bun:test";
import { present } from "../../src/kernel/index.ts";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { Rig } from "./rig.ts";

const { notarize, finalize } = VOTE_KIND;

test("R11: evidence against somebody who cannot be convicted anew, is not kept", () => {
  const rig = new Rig({ canConvict: () => false });
  const [a, b] = [rig.propose(1).id, rig.propose(1, undefined, { timeMs: rig.wallMs + 9 }).id];
  rig.vote([2], notarize, 1, a);
  rig.vote([2], notarize, 1, b);
  expect(rig.core.evidence.size).toBe(0);
  expect(rig.notices.filter(({ kind }) => kind === "evidence")).toEqual([]);
});

test("R11: evidence that a commit made useless though no block included it, is offered no more", () => {
  let isConvicted = false;
  const rig = new Rig({ self: 2, canConvict: () => !isConvicted });
  const [a, b] = [rig.propose(1).id, rig.propose(1, undefined, { timeMs: rig.wallMs + 9 }).id];
  for (const view of [8, 9]) {
    rig.vote([3], finalize, view, a);
    rig.vote([3], finalize, view, b);
  }
  expect(rig.core.evidence.size).toBe(2);
  const made = rig.propose(1);
  rig.from(rig.leaderOf(1), made.message);
  isConvicted = true; // by a transaction of the block, say
  rig.show(rig.certificate([0, 1, 3], notarize, 1, made.proposal), rig.certificate([0, 1, 3], finalize, 1, made.proposal));
  expect(rig.status.height).toBe(1);
  expect(rig.core.evidence.size).toBe(0);
});

test("R12: unequal weights, each leads as often as its slots say and in no view another does", () => {
  const rig = new Rig({ weights: [3n, 3n, 3n, 2n, 1n] });
  const leads = [0, 0, 0, 0, 0];
  for (let view = 1; view <= 12; view++) leads[rig.leaderOf(view)] = (leads[rig.leaderOf(view)] ?? 0) + 1;
  expect(leads).toEqual([3, 3, 3, 2, 1]);
  const other = (rig.leaderOf(1) + 1) % 5;
  const made = rig.propose(1, undefined, { leader: other });
  rig.from(rig.leaderOf(1), made.message);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
  expect(rig.notices).toContainEqual({ kind: "blockInvalid", epoch: 0, view: 1, code: "wrongLeader" });
});

test("R3: a block that finds no room above the tip, waits instead of being invalid, and is judged again after a commit", () => {
  const rig = new Rig();
  const first = rig.propose(1);
  rig.from(rig.leaderOf(1), first.message);
  const certificate = rig.certificate([1, 2, 3], notarize, 1, first.proposal);
  rig.show(certificate);
  rig.answersChecks = false;
  const second = rig.propose(2, { proposal: first.proposal, certificate });
  rig.from(rig.leaderOf(2), second.message);
  expect(rig.unanswered).toHaveLength(1);
  rig.input({ kind: "checked", hash: second.proposal.blockHash, verdict: { kind: "noRoom" } });
  rig.pass(100);
  expect(rig.unanswered).toHaveLength(1);
  expect(rig.cast.filter((vote) => vote.endsWith(":2"))).toEqual([]);
  expect(rig.fetchedBatches).toEqual([]);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, first.proposal));
  expect(rig.status.height).toBe(1);
  expect(rig.unanswered).toHaveLength(2);
  rig.input(present(rig.unanswered[1], "it is judged again"));
  expect(rig.cast).toContain("NOTARIZE 0:2");
});
