import { expect, test } from "bun:test";
import { LAN_TIMERS, WAN_TIMERS } from "../../src/consensus/index.ts";
import { sha256 } from "../../src/crypto/index.ts";
import { u64be } from "../../src/kernel/index.ts";
import { VOTE_KIND, type Vote } from "../../src/protocol/index.ts";
import { Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

/** Counts signature verifications from now on. */
function countVerifications(rig: Rig): () => number {
  const { verify } = rig.suite;
  let count = 0;
  const counting: typeof verify = (key, message, signature) => {
    count++;
    return verify(key, message, signature);
  };
  Object.assign(rig.suite, { verify: counting });
  return () => count;
}

function badVote(rig: Rig, signer: number, view: number): Vote {
  return { ...rig.makeVote(signer, nullify, view), signature: new Uint8Array(64) };
}

test("R0: a signer that contradicts itself again and again in a view, costs two verifications and one piece of evidence", () => {
  const rig = new Rig();
  const verifications = countVerifications(rig);
  for (let i = 0; i < 100; i++) rig.vote([2], notarize, 1, sha256(u64be(i)));
  expect([verifications(), rig.core.evidence.size]).toEqual([2, 1]);
  expect(rig.refusals).toHaveLength(98);
  expect(new Set(rig.refusals)).toEqual(new Set(["secondVote"]));
});

test("R0: a vote sent again, costs no verification and is no offence", () => {
  const rig = new Rig();
  const vote = rig.makeVote(2, nullify, 1);
  rig.from(2, { kind: "vote", vote });
  const verifications = countVerifications(rig);
  for (let i = 0; i < 100; i++) rig.from(2, { kind: "vote", vote });
  expect([verifications(), rig.refusals]).toEqual([0, []]);
});

test("R0: a hello full of bad votes, costs one verification", () => {
  const rig = new Rig();
  const verifications = countVerifications(rig);
  const votes = Array.from({ length: 32 }, (_, i) => badVote(rig, 2, 1 + (i % 16)));
  rig.from(2, { kind: "hello", token: 1, height: 0, epoch: 0, floorView: 0, votes });
  expect([verifications(), rig.refusals]).toEqual([1, ["badSignature"]]);
});

test("R15: an answer to the hello that shows votes which are not ours, counts for nothing and is refused", () => {
  const rig = new Rig({ isGreeted: false });
  rig.greet([]);
  const verifications = countVerifications(rig);
  const token = rig.core.helloToken;
  for (const from of [1, 2, 3]) {
    const votesOfYours = Array.from({ length: 32 }, (_, i) => badVote(rig, 0, 1 + i));
    rig.from(from, { kind: "helloAnswer", token, votesOfYours });
  }
  expect([rig.core.isGreeted, verifications(), rig.refusals]).toEqual([false, 3, ["badSignature", "badSignature", "badSignature"]]);
  for (const from of [1, 2, 3]) rig.from(from, { kind: "helloAnswer", token, votesOfYours: [] });
  expect(rig.core.isGreeted).toBe(true);
  const votesOfYours = Array.from({ length: 32 }, (_, i) => badVote(rig, 0, 1 + i));
  for (let i = 0; i < 100; i++) rig.from(2, { kind: "helloAnswer", token, votesOfYours });
  expect(verifications()).toBe(3);
});

test("R9: hellos without end, are answered within the asker's byte budget", () => {
  const rig = new Rig({ timers: { ...LAN_TIMERS, answerBytesPerSecond: 4_000 } });
  for (let view = 1; view <= 16; view++) rig.vote([2], nullify, view);
  for (let i = 0; i < 1_000; i++) rig.from(2, { kind: "hello", token: i, height: 0, epoch: 0, floorView: 0, votes: [] });
  const answered = rig.sentOf("helloAnswer").length;
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThan(5);
});

test("R3: who passes on what an equivocating leader signed, is not accused for it, and costs one verification", () => {
  const rig = new Rig();
  const [a, b] = [rig.propose(1), rig.propose(1, undefined, { timeMs: Math.floor(rig.wallMs) + 9 })];
  rig.from(1, a.message);
  const verifications = countVerifications(rig);
  for (let i = 0; i < 50; i++) rig.from(2, b.message);
  expect([rig.refusals, verifications(), rig.core.evidence.size]).toEqual([[], 1, 1]);
  rig.vote([3], notarize, 1, b.id);
  rig.vote([2], notarize, 1, b.id);
  rig.show(rig.certificate([1, 2, 3], notarize, 1, b.proposal));
  rig.from(2, b.message);
  expect(rig.core.epoch.views.get(1)?.proposals.size).toBe(1);
});

test("R9: an answer that comes after another peer's, is no offence; a block that nobody asked for is", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  rig.show(rig.certificate([1, 2, 3], finalize, 1, made.proposal));
  rig.pass(1_500);
  const asked = rig.sent.filter(({ message }) => message.kind === "fetch").map(({ to }) => to);
  expect(asked.length).toBe(2);
  const answer = { kind: "block", block: made.block } as const;
  for (const peer of asked) rig.input({ kind: "message", from: peer, message: answer });
  expect([rig.status.height, rig.refusals]).toEqual([1, []]);
  const finalBlocks = {
    kind: "finalBlocks",
    blocks: [made.block],
    finalization: rig.certificate([1, 2, 3], finalize, 1, made.proposal),
  } as const;
  const owed = rig.core.peers.get(rig.peer(3))?.owedBlocks ?? 0;
  expect(owed).toBeGreaterThanOrEqual(16); // what our last process asked may still be answered
  for (let i = 0; i < owed + 2; i++) rig.from(3, i % 2 === 0 ? answer : finalBlocks);
  expect(rig.refusals).toEqual(["unsolicited", "unsolicited"]);
});

test("R9: an answer over a new connection to a question asked over the old one, is no offence", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  for (let i = 0; i < 16; i++) rig.from(3, { kind: "block", block: made.block });
  rig.show(rig.certificate([1, 2, 3], finalize, 1, made.proposal));
  for (let i = 0; i < 100 && !rig.sent.some(({ to, message }) => to === rig.peer(3) && message.kind === "fetch"); i++) rig.pass(8_000);
  rig.from(1, { kind: "block", block: made.block });
  rig.input({ kind: "peerDown", peer: rig.peer(3) });
  rig.input({ kind: "peerUp", peer: rig.peer(3) });
  const owed = rig.core.peers.get(rig.peer(3))?.owedBlocks ?? 0;
  expect(owed).toBeGreaterThanOrEqual(1);
  for (let i = 0; i < owed; i++) rig.from(3, { kind: "block", block: made.block });
  expect(rig.refusals).toEqual([]);
  rig.from(3, { kind: "block", block: made.block });
  expect(rig.refusals).toEqual(["unsolicited"]);
});

test("R9: a peer that comes back, finds its byte budget as it left it", () => {
  const rig = new Rig({ timers: { ...LAN_TIMERS, answerBytesPerSecond: 1_000 } });
  rig.show(rig.nullification(1));
  const answered = (): number => rig.sent.filter(({ message }) => message.kind === "certificates").length;
  const before = answered();
  for (let i = 0; i < 100; i++) {
    rig.from(2, { kind: "fetch", target: { kind: "certificates", epoch: 0, fromView: 1, toView: 1 } });
    rig.input({ kind: "peerDown", peer: rig.peer(2) });
    rig.input({ kind: "peerUp", peer: rig.peer(2) });
  }
  expect(answered() - before).toBeLessThan(20);
  for (let i = 0; i < 1_000; i++) {
    rig.input({ kind: "peerUp", peer: `${i}` });
    rig.input({ kind: "peerDown", peer: `${i}` });
  }
  expect(rig.core.departed.size).toBe(256);
});

test("R9: however many outsiders are connected, members of the set are asked for what is missing", () => {
  const rig = new Rig();
  for (let i = 0; i < 200; i++) rig.input({ kind: "peerUp", peer: `outsider ${i}` });
  rig.show(rig.certificate([1, 2, 3], finalize, 1, rig.propose(1).proposal));
  rig.pass(60_000);
  const asked = rig.sent.filter(({ message }) => message.kind === "fetch").map(({ to }) => to);
  const ofMembers = asked.filter((to) => rig.others.some((other) => rig.peer(other) === to));
  expect(asked.length).toBeGreaterThan(5);
  expect(ofMembers.length).toBeGreaterThanOrEqual(Math.floor(asked.length / 2));
});

test("R13: claims of a hundred outsiders, leave room for fetches and for each other", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  for (let i = 0; i < 100; i++) {
    const from = `liar ${i}`;
    rig.input({ kind: "peerUp", peer: from });
    const proposal = { ...made.proposal, view: 1_000 + i };
    rig.input({ kind: "message", from, message: { kind: "proposal", proposal, block: made.block, nullifications: [] } });
  }
  rig.show(rig.certificate([1, 2, 3], finalize, 1, made.proposal));
  rig.pass(150);
  expect(rig.core.fetches.size).toBe(9);
  const asked = (): string[] => rig.sent.flatMap(({ to, message }) => (message.kind === "fetch" ? [to] : []));
  expect(rig.sentOf("fetch").some(({ target }) => target.kind === "block")).toBe(true);
  rig.pass(600_000);
  const liars = new Set(asked().filter((to) => to.startsWith("liar")));
  expect(liars.size).toBeGreaterThan(90);
});

test("R9: at a standstill after many given-up views, the newest votes go out again and not all of them", () => {
  const rig = new Rig();
  rig.work();
  for (let view = 1; view <= 200; view++) {
    rig.pass(10_000);
    rig.vote([1, 2, 3], nullify, view);
  }
  const before = rig.votes.length;
  rig.pass(3_100);
  const resent = rig.votes.slice(before);
  expect(resent.length).toBeGreaterThan(10);
  expect(resent.length).toBeLessThanOrEqual(70);
});

test("R9: answers to peers outside the set, are bounded for all of them together and leave members theirs", () => {
  const rig = new Rig({ timers: { ...LAN_TIMERS, answerBytesPerSecond: 1_000 } });
  rig.show(rig.nullification(1));
  const fetch = { kind: "fetch", target: { kind: "certificates", epoch: 0, fromView: 1, toView: 1 } } as const;
  const answered = (): number => rig.sent.filter(({ message }) => message.kind === "certificates").length;
  const before = answered();
  for (let i = 0; i < 200; i++) {
    rig.input({ kind: "peerUp", peer: `outsider ${i}` });
    rig.input({ kind: "message", from: `outsider ${i}`, message: fetch });
  }
  const toOutsiders = answered() - before;
  expect(toOutsiders).toBeGreaterThan(10);
  expect(toOutsiders).toBeLessThan(60);
  rig.from(2, fetch);
  expect(answered() - before).toBe(toOutsiders + 1);
});

test("R2: payloads that a leader sends ahead for its later views, hold up nobody's proposal", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(0);
  for (let v = 1; v < view; v++) rig.show(rig.nullification(v));
  rig.pass(1_000);
  for (let v = view + 1; v <= view + 16; v++) {
    const leader = rig.leaderOf(v);
    if (leader === 0) continue;
    const made = rig.propose(v);
    rig.from(leader, { kind: "proposal", proposal: made.proposal, block: made.block, nullifications: [] });
  }
  rig.work();
  expect(rig.sentOf("proposal").length).toBe(1);
});

test("R9: sixty observers that follow block by block, are all answered on a slow link", () => {
  const rig = new Rig({ timers: WAN_TIMERS });
  let parent: Parameters<Rig["propose"]>[1];
  const observers = Array.from({ length: 60 }, (_, i) => `observer ${i}`);
  for (const peer of observers) rig.input({ kind: "peerUp", peer });
  let servedCount = 0;
  for (let view = 1; view <= 40; view++) {
    const made = rig.propose(view, parent);
    const certificate = rig.certificate([1, 2, 3], finalize, view, made.proposal);
    if (rig.leaderOf(view) !== rig.self) rig.from(rig.leaderOf(view), rig.message(made.proposal, made.block));
    rig.show(certificate);
    rig.pass(500);
    if (rig.status.height < view) rig.from(1, { kind: "block", block: made.block });
    expect(rig.status.height).toBe(view);
    parent = { proposal: made.proposal, certificate };
    const before = rig.trace.length;
    for (const from of observers)
      rig.input({ kind: "message", from, message: { kind: "fetch", target: { kind: "finalBlocks", fromHeight: view } } });
    servedCount += rig.trace.slice(before).filter((kind) => kind === "serveFinalBlocks").length;
  }
  expect(servedCount).toBe(40 * observers.length);
});
