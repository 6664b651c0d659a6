import { expect, test } from "bun:test";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

test("R0: a vote from a connection that is not its signer's, is dropped before its signature is checked", () => {
  const rig = new Rig();
  let checks = 0;
  const { verify } = rig.suite;
  rig.suite.verify = (...claim) => {
    checks++;
    return verify(...claim);
  };
  rig.from(1, { kind: "vote", vote: rig.makeVote(2, nullify, 1) });
  expect(rig.refusals).toEqual(["notItsSigner"]);
  expect(checks).toBe(0);
  rig.from(1, { kind: "vote", vote: { ...rig.makeVote(1, nullify, 1), signature: new Uint8Array(64) } });
  expect(rig.refusals).toEqual(["notItsSigner", "badSignature"]);
  rig.from(1, { kind: "vote", vote: { ...rig.makeVote(1, nullify, 1), signer: 99 } });
  expect(rig.refusals.at(-1)).toBe("unknownSigner");
  expect(rig.core.epoch.views.get(1)?.nullifyWeight).toBe(0n);
});

test("R0: votes outside [floor - 256, current + 16], leave nothing behind", () => {
  const rig = new Rig();
  rig.vote([1, 2, 3], nullify, 18);
  expect(rig.core.epoch.views.has(18)).toBe(false);
  rig.vote([1, 2, 3], nullify, 17);
  expect(rig.core.epoch.views.get(17)?.nullification).toBeDefined();
  expect(rig.status.view).toBe(18);
  const made = rig.propose(18);
  rig.show(rig.certificate([1, 2, 3], finalize, 400, { ...made.proposal, view: 400 }));
  rig.vote([1], nullify, 143);
  expect(rig.core.epoch.views.has(143)).toBe(false);
  rig.vote([1], nullify, 144);
  expect(rig.core.epoch.views.get(144)?.nullifyWeight).toBe(1n);
});

test("R0: a signer's second, different vote of a kind, does not count and becomes evidence", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(1);
  const [a, b] = [rig.propose(view), rig.propose(view, undefined, { timeMs: rig.wallMs + 1 })];
  rig.vote([2], notarize, view, a.id);
  rig.vote([2], notarize, view, b.id);
  expect([...(rig.core.epoch.views.get(view)?.notarizeWeight.values() ?? [])]).toEqual([1n]);
  expect(rig.notices.filter((notice) => notice.kind === "evidence")).toHaveLength(1);
});

test("R0: a certificate that lacks weight, has a foreign signature or a wrong bitmap, is refused", () => {
  const rig = new Rig();
  const good = rig.certificate([1, 2, 3], nullify, 5);
  rig.show(rig.certificate([1, 2], nullify, 5));
  rig.show({ ...good, signatures: [...good.signatures].reverse() });
  rig.show({ ...good, bitmap: Uint8Array.of(0xfe) });
  rig.show({ ...good, view: 6 });
  expect(rig.refusals).toEqual(["badCertificate", "badCertificate", "badCertificate", "badCertificate"]);
  expect(rig.status.view).toBe(1);
  rig.show(good);
  expect(rig.status.view).toBe(6);
});

test("R0: a block that nobody asked for, is not kept", () => {
  const rig = new Rig();
  const made = rig.propose(rig.viewLedBy(1));
  for (let i = 0; i <= 16; i++) rig.from(1, { kind: "block", block: made.block });
  expect(rig.refusals).toEqual(["unsolicited"]); // the first ones might be answers to our last process
  expect(rig.core.blocks.size).toBe(0);
});

test("R1: a certificate of any kind, opens the view after it, and views never go back", () => {
  const rig = new Rig();
  rig.show(rig.nullification(3));
  expect(rig.status.view).toBe(4);
  rig.show(rig.nullification(1));
  expect(rig.status.view).toBe(4);
  const made = rig.propose(5);
  rig.show(rig.certificate([1, 2, 3], notarize, 5, made.proposal));
  expect(rig.status.view).toBe(6);
  rig.show(rig.certificate([1, 2, 3], finalize, 9, { ...made.proposal, view: 9 }));
  expect(rig.status.view).toBe(10);
});

test("R1: an idle chain, casts no vote and asks for no tick before the heartbeat", () => {
  const rig = new Rig();
  expect(rig.dueInMs).toBeGreaterThan(50_000);
  rig.pass(55_000);
  expect(rig.cast).toEqual([]);
  rig.pass(10_000);
  expect(rig.cast.length).toBeGreaterThan(0);
});

test("R1: votes of weight F, arm nothing; of weight above F, arm the view", () => {
  const rig = new Rig({ self: 0 });
  const view = rig.status.view;
  rig.vote([2], nullify, view);
  rig.pass(5_000);
  expect(rig.cast).toEqual([]);
  rig.vote([3], nullify, view);
  rig.pass(1_000);
  expect(rig.cast).toContain(`NULLIFY 0:${view}`);
});

test("R1: a notarization that stays unfinalized beyond the certification deadline, is work", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  rig.show(rig.certificate([1, 2, 3], notarize, 1, made.proposal));
  const before = rig.cast.length;
  rig.pass(700);
  expect(rig.cast.length).toBe(before);
  rig.pass(2_000);
  expect(rig.cast).toContain(`NULLIFY 0:2`);
});

test("R4: weight Q of NOTARIZE for one proposal, makes the notarization and opens the next view", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(1);
  for (let v = 1; v < view; v++) rig.show(rig.nullification(v));
  const made = rig.propose(view);
  rig.from(1, rig.message(made.proposal, made.block));
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
  expect(rig.status.view).toBe(view);
  rig.vote([2], notarize, view, made.id);
  expect(rig.core.epoch.views.get(view)?.notarization?.signatures).toHaveLength(3);
  expect(rig.status.view).toBe(view + 1);
});

test("R4: quorums count weight, not heads", () => {
  const rig = new Rig({ weights: [2n, 2n, 2n, 1n], self: 3 });
  expect([rig.set.totalWeight, rig.set.faultyWeightMax, rig.set.quorumWeight]).toEqual([7n, 2n, 5n]);
  rig.vote([0, 2], nullify, 1);
  expect(rig.status.view).toBe(1);
  rig.vote([1], nullify, 1);
  expect(rig.status.view).toBe(2);
});

test("R4: of five equal boxes four make a quorum, not 2F+1", () => {
  const rig = new Rig({ weights: [1n, 1n, 1n, 1n, 1n] });
  rig.vote([2, 3, 4], nullify, 1);
  expect([rig.set.faultyWeightMax, rig.set.quorumWeight, rig.status.view]).toEqual([1n, 4n, 1]);
  rig.vote([1], nullify, 1);
  expect(rig.status.view).toBe(2);
});

test("R6: weight Q of NULLIFY, makes the nullification and opens the next view", () => {
  const rig = new Rig();
  rig.vote([2, 3], nullify, 1);
  expect(rig.status.view).toBe(1);
  rig.vote([1], nullify, 1);
  expect(rig.core.epoch.views.get(1)?.nullification).toBeDefined();
  expect(rig.status.view).toBe(2);
});
