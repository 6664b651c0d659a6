import { expect, test } from "bun:test";
import { type JournalRecord, LAN_TIMERS } from "../../src/consensus/index.ts";
import { present, toHex } from "../../src/kernel/index.ts";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { FRESH_JOURNAL, LOST_JOURNAL, Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

test("R9: a new certificate, is forwarded after a jitter to peers that are not known to be past it", () => {
  const rig = new Rig();
  rig.vote([2, 3], nullify, 1);
  rig.vote([1], nullify, 1);
  rig.vote([3], nullify, 2);
  rig.pass(199);
  expect(rig.sentOf("certificates")).toEqual([]);
  rig.pass(150);
  const told = rig.sent.filter(({ message }) => message.kind === "certificates").map(({ to }) => to);
  expect(told.sort()).toEqual([rig.peer(1), rig.peer(2)].sort());
});

test("R9: blocks that are final faster than news is passed on, a peer that only follows hears of the latest one that is here", () => {
  const rig = new Rig();
  const follower = "f".repeat(64);
  rig.input({ kind: "peerUp", peer: follower });
  rig.work();
  const told = (): number[] =>
    rig.sent.flatMap(({ to, message }) =>
      to === follower && message.kind === "certificates" ? message.certificates.map(({ view }) => view) : [],
    );
  for (const { block, proposal, finalization } of foreignChain(rig, 20)) {
    const leader = rig.leaderOf(block.header.view);
    if (leader !== rig.self) rig.from(leader, rig.message(proposal, block));
    rig.show(finalization);
    rig.pass(100);
    if (leader === rig.self) rig.from(1, { kind: "block", block }); // asked for meanwhile
  }
  const height = rig.status.height;
  expect(height).toBeGreaterThan(10);
  rig.pass(300);
  expect(told().length).toBeGreaterThan(5);
  expect(told().length).toBeLessThan(15);
  expect(told().at(-1)).toBe(rig.core.tip.view);
  expect(told()).toEqual([...new Set(told())].sort((a, b) => a - b));
});

test("R9: a vote for an old view, is answered with its certificate and the best one, at most once in a while", () => {
  const rig = new Rig();
  rig.show(rig.nullification(1), rig.nullification(2), rig.nullification(3));
  rig.pass(1_000);
  const before = rig.sent.length;
  rig.vote([2], nullify, 1);
  rig.vote([2], nullify, 1);
  const answers = rig.sent.slice(before).filter(({ message }) => message.kind === "certificates");
  expect(answers).toHaveLength(1);
  expect(answers[0]).toMatchObject({ to: rig.peer(2), message: { certificates: [{ view: 1 }, { view: 3 }] } });
});

test("R9: no finalization for the standstill time while there is work, and everyone gets what we have", () => {
  const rig = new Rig();
  rig.show(rig.nullification(1));
  rig.pass(1_000);
  rig.work();
  const before = rig.sent.length;
  rig.pass(3_000);
  const later = rig.sent.slice(before);
  expect(
    later
      .filter(({ message }) => message.kind === "certificates")
      .map(({ to }) => to)
      .sort(),
  ).toEqual(expect.arrayContaining(rig.others.map((other) => rig.peer(other)).sort()));
  expect(rig.cast.filter((vote) => vote === "NULLIFY 0:2").length).toBeGreaterThan(1);
});

test("R9: what is missing, is asked of random peers with growing, capped pauses", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  rig.show(rig.certificate([1, 2, 3], notarize, 1, made.proposal));
  const asked: number[] = [];
  let seen = rig.sentOf("fetch").length;
  for (let ms = 0; ms < 60_000; ms += 100) {
    rig.pass(100);
    if (rig.sentOf("fetch").length > seen) asked.push(ms);
    seen = rig.sentOf("fetch").length;
  }
  const gaps = asked.slice(1).map((at, i) => at - (asked[i] ?? 0));
  expect(gaps.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(Math.max(...gaps)).toBe(8_000);
});

test("R9: answers to one peer, stop when its byte budget is spent", () => {
  const rig = new Rig({ timers: { ...LAN_TIMERS, answerBytesPerSecond: 1_000 } });
  rig.show(rig.nullification(1));
  const answered = (): number => rig.sent.filter(({ message }) => message.kind === "certificates").length;
  const before = answered();
  const ask = (): void => rig.from(2, { kind: "fetch", target: { kind: "certificates", epoch: 0, fromView: 1, toView: 1 } });
  for (let i = 0; i < 100; i++) ask();
  const first = answered() - before;
  expect(first).toBeGreaterThan(5);
  expect(first).toBeLessThan(20);
  rig.pass(10_000);
  ask();
  expect(answered() - before).toBeGreaterThan(first);
});

test("R10: a leader without a new vote in 32 certified views, gets deadline 0, and is back with its next vote", () => {
  const silent = 3;
  let view = 1;
  const seven = new Rig({ weights: [1n, 1n, 1n, 1n, 1n, 1n, 1n] });
  const voters = [1, 2, 4, 5, 6];
  for (view = 1; view <= 32 || seven.leaderOf(view) !== silent; view++) seven.show(seven.certificate(voters, nullify, view));
  expect(seven.status.view).toBe(view);
  seven.work();
  expect(seven.cast).toEqual([`NULLIFY 0:${view}`]);
  const back = new Rig({ weights: [1n, 1n, 1n, 1n, 1n, 1n, 1n] });
  for (let v = 1; v < view; v++) back.show(back.certificate(voters, nullify, v));
  back.vote([silent], nullify, view - 1);
  back.work();
  expect(back.cast).toEqual([]);
});

test("R13: a claim to be ahead, counts for nothing and only says whom to ask", () => {
  const rig = new Rig();
  rig.from(2, { kind: "hello", token: 1, height: 1_000_000, epoch: 5, floorView: 9, votes: [] });
  rig.work();
  rig.pass(200);
  expect(rig.sent.find(({ message }) => message.kind === "fetch")).toMatchObject({
    to: rig.peer(2),
    message: { target: { kind: "finalBlocks", fromHeight: 1 } },
  });
  rig.pass(300);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
});

test("R13: a liar that claims to be far ahead, hides nobody's true claim and is forgotten", () => {
  const rig = new Rig();
  rig.from(3, { kind: "vote", vote: rig.makeVote(3, nullify, 1_000_000) });
  rig.from(2, { kind: "vote", vote: rig.makeVote(2, nullify, 40) });
  rig.pass(150);
  const asked = rig.sent.flatMap(({ to, message }) =>
    message.kind === "fetch" && message.target.kind === "certificates" ? [[to, message.target.toView]] : [],
  );
  expect(asked.sort()).toEqual(
    [
      [rig.peer(2), 39],
      [rig.peer(3), 999_999],
    ].sort(),
  );
  rig.from(2, { kind: "certificates", certificates: [rig.nullification(39)] });
  expect(rig.status.view).toBe(40);
  rig.pass(20_000);
  expect(rig.core.peers.get(rig.peer(3))?.claim).toBeUndefined();
  const count = rig.sentOf("fetch").length;
  rig.pass(20_000);
  expect(rig.sentOf("fetch").length).toBe(count);
});

/** A chain of final blocks made elsewhere, with the finalization of each. */
function foreignChain(rig: Rig, length: number, beforeEach: () => void = () => {}) {
  const made = [];
  let parent: Parameters<Rig["propose"]>[1];
  for (let view = 1; view <= length; view++) {
    beforeEach();
    const next = rig.propose(view, parent);
    rig.chain.check(next.block);
    parent = { proposal: next.proposal, certificate: rig.certificate([1, 2, 3], notarize, view, next.proposal) };
    made.push({ ...next, finalization: rig.certificate([1, 2, 3], finalize, view, next.proposal) });
  }
  rig.chain.restart();
  return made;
}

test("R13: final blocks that extend the tip and end in a finalization, are executed and committed", () => {
  const rig = new Rig();
  const made = foreignChain(rig, 20);
  const last = present(made.at(-1), "a last block");
  rig.show(last.finalization);
  rig.pass(150);
  rig.from(2, { kind: "block", block: last.block });
  rig.work();
  rig.pass(500);
  expect(rig.cast).toEqual([]);
  expect(rig.sentOf("fetch").some(({ target }) => target.kind === "finalBlocks" && target.fromHeight === 1)).toBe(true);
  const half = present(made[11], "a middle block");
  const blocks = made.slice(0, 12).map((one) => one.block);
  rig.from(2, { kind: "finalBlocks", blocks: blocks.toSpliced(3, 1), finalization: half.finalization });
  rig.from(2, { kind: "finalBlocks", blocks, finalization: last.finalization });
  expect(rig.refusals).toEqual(["badCertificate", "badCertificate"]);
  rig.from(2, { kind: "finalBlocks", blocks, finalization: half.finalization });
  expect(rig.status.height).toBe(12);
  rig.pass(150);
  rig.from(2, { kind: "finalBlocks", blocks: made.slice(12).map((one) => one.block), finalization: last.finalization });
  expect(rig.status.height).toBe(20);
  expect(rig.status.floor.view).toBe(20);
});

test("R13: who says that it lacks the next block, not asked for it while somebody may have it; nobody has, told", () => {
  const rig = new Rig();
  const last = present(foreignChain(rig, 20).at(-1), "a last block");
  const [able, ...unable] = [1, 2, 3].map((at) => rig.peer(at));
  for (const peer of unable) rig.input({ kind: "peerReach", peer, lowestHeight: 2 });
  rig.show(last.finalization);
  rig.pass(150);
  rig.from(2, { kind: "block", block: last.block });
  rig.pass(60_000);
  const asked = new Set(
    rig.sent.flatMap(({ to, message }) => (message.kind === "fetch" && message.target.kind === "finalBlocks" ? [to] : [])),
  );
  expect([...asked]).toEqual([present(able, "a peer")]);
  expect(rig.notices.some(({ kind }) => kind === "outOfReach")).toBe(false);
  rig.input({ kind: "peerReach", peer: present(able, "a peer"), lowestHeight: 7 });
  rig.pass(60_000);
  expect(rig.notices.filter(({ kind }) => kind === "outOfReach")[0]).toEqual({ kind: "outOfReach", fromHeight: 1, lowestHeight: 2 });
});

test("R13: somebody says that he has what was asked for in vain, asked after the usual time and no sooner", () => {
  const rig = new Rig();
  const last = present(foreignChain(rig, 6).at(-1), "a last block");
  for (const at of [1, 2, 3]) rig.input({ kind: "peerReach", peer: rig.peer(at), lowestHeight: 2 });
  rig.show(last.finalization);
  rig.pass(150);
  rig.from(2, { kind: "block", block: last.block });
  rig.pass(60_000); // the pauses are as long as they get
  const timeoutMs = rig.core.config.timers.fetchTimeoutMs;
  const asks = (): number => rig.sentOf("fetch").filter(({ target }) => target.kind === "finalBlocks").length;
  const before = asks();
  rig.input({ kind: "peerReach", peer: rig.peer(3), lowestHeight: 1 });
  rig.pass(timeoutMs);
  expect(asks()).toBe(before + 1);
  for (let n = 0; n < 400; n++) {
    rig.input({ kind: "peerReach", peer: rig.peer(3), lowestHeight: 1 + (n % 2) });
    rig.pass(timeoutMs / 40);
  }
  expect(asks() - before).toBeLessThanOrEqual(1 + 10); // ten timeouts
});

/**
 * A box that knows of a chain by the finalization of its last block alone, has no batch of it, and has asked for the blocks.
 * `give` answers it.
 */
function fallBehind(rig: Rig, length: number, batchesEach = 1) {
  const digests: Uint8Array[] = [];
  const made = foreignChain(rig, length, () => {
    for (let n = 0; n < batchesEach; n++) digests.push(rig.work());
  });
  const blocks = made.map(({ block }) => block);
  expect(blocks.flatMap((block) => block.batchDigests).map(toHex)).toEqual(digests.map(toHex));
  rig.chain.batches.clear();
  const { block, finalization } = present(made.at(-1), "a last block");
  rig.show(finalization);
  rig.pass(150);
  rig.from(2, { kind: "block", block });
  rig.pass(500);
  rig.fetchedBatches.length = 0;
  return { digests, give: () => rig.from(2, { kind: "finalBlocks", blocks, finalization }) };
}

test("R13: final blocks whose batches are not here, all of them asked for at once", () => {
  const rig = new Rig();
  const { digests, give } = fallBehind(rig, 6);
  give();
  expect(new Set(rig.fetchedBatches.map(toHex))).toEqual(new Set(digests.map(toHex)));
  for (const digest of digests) rig.chain.hold(digest);
  rig.input({ kind: "batchesHeld" });
  expect(rig.status.height).toBe(6);
});

test("R9d: batches that a final block lacks, asked for again in time although others arrive all the while", () => {
  const rig = new Rig();
  const { digests, give } = fallBehind(rig, 6);
  give();
  rig.fetchedBatches.length = 0;
  for (let round = 0; round < 100; round++) {
    rig.pass(20); // more often than the first question waits
    rig.input({ kind: "batchesHeld" });
  }
  expect(new Set(rig.fetchedBatches.map(toHex))).toEqual(new Set(digests.map(toHex)));
  expect(rig.fetchedBatches.length).toBeLessThan(6 * 6); // a growing pause between questions
});

test("R13: a run with more batches than are asked for at once, the rest asked for together too", () => {
  const rig = new Rig();
  const { digests, give } = fallBehind(rig, 290, 8);
  give();
  expect(rig.fetchedBatches.map(toHex)).toEqual(digests.slice(0, 2_048).map(toHex));
  for (const digest of rig.fetchedBatches) rig.chain.hold(digest);
  rig.fetchedBatches.length = 0;
  rig.input({ kind: "batchesHeld" });
  rig.pass(1_000);
  expect(rig.status.height).toBe(0);
  expect(new Set(rig.fetchedBatches.map(toHex))).toEqual(new Set(digests.slice(2_048).map(toHex)));
  for (const digest of rig.fetchedBatches) rig.chain.hold(digest);
  rig.input({ kind: "batchesHeld" });
  expect(rig.status.height).toBe(290);
});

test("R13: a box that cannot commit for long, keeps within its bounds and commits when it can", () => {
  const rig = new Rig();
  const digest = rig.work();
  const made = foreignChain(rig, 3_000);
  rig.chain.batches.clear();
  for (const { block, proposal, finalization } of made) {
    const leader = rig.leaderOf(block.header.view);
    if (leader !== rig.self) rig.from(leader, rig.message(proposal, block));
    rig.show(finalization);
  }
  expect([rig.status.height, rig.status.floor.view]).toEqual([0, 3_000]);
  expect(rig.core.blocks.size).toBeLessThanOrEqual(1_024);
  expect(rig.core.targets.length).toBeLessThanOrEqual(64);
  expect(rig.core.epoch.views.size).toBeLessThanOrEqual(290);
  rig.chain.hold(digest);
  rig.input({ kind: "batchesHeld" });
  for (let round = 0; round < 40 && rig.status.height < 3_000; round++) {
    rig.pass(10_000);
    const { height } = rig.status;
    for (const { block } of made.slice(height, height + 3)) rig.from(1, { kind: "block", block });
    const run = made.slice(rig.status.height, rig.status.height + 200);
    const last = run.at(-1);
    if (last) rig.from(1, { kind: "finalBlocks", blocks: run.map((one) => one.block), finalization: last.finalization });
  }
  expect(rig.status.height).toBe(3_000);
});

test("R14: a lost journal, recovers with a gate at V+3 once others of weight 2F+1 have shown where they are", () => {
  const rig = new Rig({ replay: LOST_JOURNAL });
  expect(rig.journal).toEqual([{ kind: "recovery", status: { kind: "recovering" } }]);
  rig.work();
  rig.pass(2_000);
  expect(rig.cast).toEqual([]);
  const [request] = rig.sentOf("recoveryRequest");
  const token = present(request, "a recovery request").token;
  const highest = rig.certificate([1, 2, 3], nullify, 7);
  rig.from(1, { kind: "recoveryAnswer", token, isRecovering: false, highest });
  rig.from(2, { kind: "recoveryAnswer", token, isRecovering: true, highest });
  rig.from(2, { kind: "recoveryAnswer", token: token + 1, isRecovering: false, highest });
  rig.from(3, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery.kind).toBe("recovering");
  rig.from(2, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 10 });
  expect(rig.journal.at(-1)).toEqual({ kind: "recovery", status: { kind: "gated", epoch: 0, firstView: 10 } });
});

test("R14: a peer that connects while we recover, is asked at once, and not again once it has answered", () => {
  const rig = new Rig({ replay: LOST_JOURNAL, isGreeted: false });
  rig.pass(50);
  expect(rig.sentOf("recoveryRequest")).toEqual([]);
  rig.input({ kind: "peerUp", peer: rig.peer(1) });
  const [request, ...more] = rig.sentOf("recoveryRequest");
  expect(more).toEqual([]);
  rig.from(1, { kind: "recoveryAnswer", token: present(request, "a recovery request").token, isRecovering: false });
  rig.input({ kind: "peerDown", peer: rig.peer(1) });
  rig.input({ kind: "peerUp", peer: rig.peer(1) });
  expect(rig.sentOf("recoveryRequest")).toHaveLength(1);
  expect(rig.cast).toEqual([]);
});

test("R14: the gate, bars every vote below V+3 and none from there on", () => {
  const rig = new Rig({ replay: { ...FRESH_JOURNAL, recovery: { kind: "gated", epoch: 0, firstView: 10 } } });
  rig.show(rig.nullification(7), rig.nullification(8));
  rig.work();
  rig.pass(30_000);
  expect([rig.status.view, rig.cast]).toEqual([9, []]);
  rig.show(rig.nullification(9));
  rig.pass(30_000);
  expect(rig.cast[0]).toBe("NULLIFY 0:10");
});

test("R14: an epoch that opens before the gate has ended, bars every vote until its own members have answered", () => {
  const rig = new Rig({
    epochBlocks: 1,
    replay: { ...FRESH_JOURNAL, recovery: { kind: "gated", epoch: 0, firstView: 10 } },
  });
  expect([rig.status.voting, rig.sentOf("recoveryRequest")]).toEqual(["voting", []]);
  const boundary = rig.propose(1);
  rig.from(1, boundary.message);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, boundary.proposal));
  expect([rig.status.epoch, rig.status.voting]).toEqual([1, "recovering"]);
  rig.work();
  rig.show(rig.certificate([1, 2, 3], nullify, 1), rig.certificate([1, 2, 3], nullify, 2), rig.certificate([1, 2, 3], nullify, 3));
  rig.pass(5_000);
  expect(rig.cast).toEqual([]);
  const token = present(rig.sentOf("recoveryRequest")[0], "the members are asked anew").token;
  for (const from of [1, 2]) rig.from(from, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 10 });
  rig.from(3, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 1, firstView: 6 });
  expect(rig.journal.at(-1)).toEqual({ kind: "recovery", status: { kind: "gated", epoch: 1, firstView: 6 } });
  for (const view of [4, 5]) rig.show(rig.certificate([1, 2, 3], nullify, view));
  rig.pass(5_000);
  expect([rig.cast[0]?.includes(" 1:6"), rig.status.voting]).toEqual([true, "voting"]);
});

test("R14: a gate of an epoch that ended before it, found at a start, bars every vote until the members now were asked", () => {
  const before = new Rig({ epochBlocks: 1 });
  const boundary = before.propose(1);
  before.from(1, boundary.message);
  before.show(before.certificate([1, 2, 3], finalize, 1, boundary.proposal));
  const rig = new Rig({
    epochBlocks: 1,
    chain: before.chain,
    replay: { ...FRESH_JOURNAL, recovery: { kind: "gated", epoch: 0, firstView: 10 } },
  });
  rig.work();
  rig.pass(5_000);
  expect([rig.status.epoch, rig.cast, rig.status.voting]).toEqual([1, [], "recovering"]);
  const token = present(rig.sentOf("recoveryRequest")[0], "the members are asked").token;
  for (const from of [1, 2, 3]) rig.from(from, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 1, firstView: 2 });
});

test("R14: a gate that an epoch did not outlast, is followed by one at view 2 when enough of the next set have answered already", () => {
  const rig = new Rig({ epochBlocks: 1, replay: LOST_JOURNAL });
  rig.pass(100);
  const token = present(rig.sentOf("recoveryRequest")[0], "it asks").token;
  for (const from of [1, 2, 3]) rig.from(from, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 3 });
  const asked = rig.sentOf("recoveryRequest").length;
  const boundary = rig.propose(1);
  rig.from(1, boundary.message);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, boundary.proposal));
  expect([rig.status.epoch, rig.status.recovery]).toEqual([1, { kind: "gated", epoch: 1, firstView: 2 }]);
  rig.input({ kind: "peerDown", peer: rig.peer(1) });
  rig.input({ kind: "peerUp", peer: rig.peer(1) });
  expect(rig.sentOf("recoveryRequest")).toHaveLength(asked);
  rig.work();
  rig.pass(5_000);
  expect(rig.cast).toEqual([]);
  rig.show(rig.certificate([1, 2, 3], nullify, 1));
  rig.pass(5_000);
  expect(rig.cast[0]).toContain(" 1:2");
});

test("R14: a journal that turns out to lack a vote after its gate was set, asks everyone anew", () => {
  const rig = new Rig({ replay: LOST_JOURNAL });
  rig.pass(100);
  const token = present(rig.core.recovery, "it asks").token;
  for (const from of [1, 2, 3]) rig.from(from, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery).toEqual({ kind: "gated", epoch: 0, firstView: 3 });
  rig.show(rig.certificate([0, 1, 2], nullify, 5));
  expect([rig.status.recovery.kind, rig.core.recovery?.answers.size]).toEqual(["recovering", 0]);
  expect(rig.core.recovery?.token).not.toBe(token);
});

test("R14: a box that waits to be answered again, answers others as one with a gate does", () => {
  const rig = new Rig({ epochBlocks: 1, replay: { ...FRESH_JOURNAL, recovery: { kind: "gated", epoch: 0, firstView: 10 } } });
  const boundary = rig.propose(1);
  rig.from(1, boundary.message);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, boundary.proposal));
  rig.from(1, { kind: "recoveryRequest", token: 5 });
  expect(rig.sentOf("recoveryAnswer").at(-1)).toMatchObject({ token: 5, isRecovering: false, opening: { epoch: 0, view: 1 } });
});

test("R14: the gate, ends with a final block of its epoch other than the boundary in a view from V+2 on", () => {
  const gated = { ...FRESH_JOURNAL, recovery: { kind: "gated", epoch: 0, firstView: 11 } } as const;
  for (const [view, status] of [
    [9, "gated"],
    [10, "intact"],
  ] as const) {
    const rig = new Rig({ replay: gated });
    for (let v = 1; v < view; v++) rig.show(rig.nullification(v));
    const made = rig.propose(view);
    rig.from(rig.leaderOf(view), made.message);
    rig.show(rig.certificate([1, 2, 3], finalize, view, made.proposal));
    expect([view, rig.status.height, rig.status.recovery.kind]).toEqual([view, 1, status]);
    const left: readonly JournalRecord[] = rig.journal.filter(({ kind }) => kind === "floor" || kind === "recovery");
    const ended: JournalRecord = { kind: "recovery", status: { kind: "intact" } };
    // What the gate barred stays barred, also for a chain that begins anew below it.
    expect(left).toEqual(status === "intact" ? [{ kind: "floor", round: { epoch: 0, view } }, ended] : []);
  }
  const closing = new Rig({ replay: gated, epochBlocks: 1 });
  const boundary = closing.propose(21);
  for (let v = 1; v < 21; v++) closing.show(closing.nullification(v));
  closing.from(closing.leaderOf(21), closing.message(boundary.proposal, boundary.block));
  closing.show(closing.certificate([1, 2, 3], finalize, 21, boundary.proposal));
  expect([closing.status.epoch, closing.status.recovery.kind]).toEqual([1, "gated"]);
});

test("R15: the first vote, waits until others of weight Q minus our own have answered this start's hello", () => {
  const rig = new Rig({ isGreeted: false });
  rig.greet([]);
  rig.work();
  rig.pass(2_000);
  expect(rig.cast).toEqual([]);
  rig.from(1, { kind: "helloAnswer", token: rig.core.helloToken, votesOfYours: [] });
  rig.from(2, { kind: "helloAnswer", token: rig.core.helloToken + 1, votesOfYours: [] });
  rig.pass(1_000);
  expect(rig.cast).toEqual([]);
  rig.from(2, { kind: "helloAnswer", token: rig.core.helloToken, votesOfYours: [] });
  rig.pass(1);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
});

test("R15: a hello, is answered with the asker's votes above its floor", () => {
  const rig = new Rig();
  rig.vote([2], nullify, 1);
  rig.vote([2], nullify, 3);
  rig.from(2, { kind: "hello", token: 77, height: 0, epoch: 0, floorView: 1, votes: [] });
  expect(rig.sentOf("helloAnswer").at(-1)).toMatchObject({ token: 77, votesOfYours: [{ view: 3, signer: 2 }] });
});
