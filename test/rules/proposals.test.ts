import { expect, test } from "bun:test";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { type MadeProposal, Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

/** Brings the rig to a view led by `leader`, by nullifications. */
function rigAt(leader: number, options: ConstructorParameters<typeof Rig>[0] = {}): { rig: Rig; view: number } {
  const rig = new Rig(options);
  const view = rig.viewLedBy(leader);
  for (let v = 1; v < view; v++) rig.show(rig.nullification(v));
  expect(rig.status.view).toBe(view);
  return { rig, view };
}

function ownProposal(rig: Rig) {
  const [message] = rig.sentOf("proposal");
  if (!message) throw new Error("nothing was proposed");
  return message;
}

test("R2: the leader of an armed view, proposes on the highest proven parent and carries the proof", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(0, 3);
  const made = rig.propose(view - 2);
  rig.show(rig.certificate([1, 2, 3], notarize, view - 2, made.proposal), rig.nullification(view - 1));
  rig.from(1, { kind: "block", block: made.block });
  for (let v = 1; v < view - 2; v++) rig.show(rig.nullification(v));
  expect(rig.status.view).toBe(view);
  rig.pass(200);
  rig.from(1, { kind: "block", block: made.block });
  rig.work();
  rig.pass(200);
  const { proposal, block, nullifications } = ownProposal(rig);
  expect(proposal).toMatchObject({ view, parentView: view - 2 });
  expect(block.header.parentHash).toEqual(made.proposal.blockHash);
  expect(block.parentCertificate?.view).toBe(view - 2);
  expect(nullifications.map((certificate) => certificate.view)).toEqual([view - 1]);
  expect(rig.cast).toContain(`NOTARIZE 0:${view}`);
});

test("R2: a view before that is neither notarized nor nullified, is fetched, and not obtained in time nullified", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(0, 4);
  rig.show(rig.nullification(view - 1));
  rig.work();
  rig.pass(300);
  expect(rig.sentOf("proposal")).toEqual([]);
  expect(rig.sentOf("fetch").some(({ target }) => target.kind === "certificates" && target.toView >= view - 2)).toBe(true);
  rig.pass(400);
  expect(rig.cast).toEqual([`NULLIFY 0:${view}`]);
});

test("R2: nothing is proposed, where the view is not armed, not ours or already voted in", () => {
  const { rig, view } = rigAt(0);
  rig.pass(5_000);
  expect(rig.sentOf("proposal")).toEqual([]);
  rig.vote([1, 2], nullify, view);
  rig.pass(1);
  expect(rig.sentOf("proposal")).toHaveLength(1);
  const other = rigAt(1);
  other.rig.work();
  other.rig.pass(300);
  expect(other.rig.sentOf("proposal")).toEqual([]);
});

test("R2: after a proposal, the next one waits for the minimum interval", () => {
  const rig = new Rig({ weights: [1n] });
  rig.work();
  expect(rig.chain.committed).toHaveLength(1);
  rig.work();
  expect(rig.chain.committed).toHaveLength(1);
  rig.pass(99);
  expect(rig.chain.committed).toHaveLength(1);
  rig.pass(1);
  expect(rig.chain.committed).toHaveLength(2);
});

test("R2: above 8 unfinalized blocks, leaders propose empty ones", () => {
  const { rig, view } = rigAt(1);
  let parent: { proposal: MadeProposal["proposal"]; certificate: ReturnType<Rig["certificate"]> } | undefined;
  let v = view;
  for (let count = 0; count < 8 || rig.leaderOf(v) !== 0; v++) {
    if (rig.leaderOf(v) === 0) {
      rig.show(rig.nullification(v));
      continue;
    }
    count++;
    const made = rig.propose(v, parent);
    rig.from(rig.leaderOf(v), rig.message(made.proposal, made.block));
    const certificate = rig.certificate([1, 2, 3], notarize, v, made.proposal);
    rig.show(certificate);
    parent = { proposal: made.proposal, certificate };
  }
  const digest = rig.work();
  rig.pass(150);
  expect(rig.status.view).toBe(v);
  expect(ownProposal(rig).block.batchDigests).toEqual([]);
  expect(rig.chain.isExecuted(digest)).toBe(false);
});

test("R3: the first proposal signed by the leader, is notarized once, with its payload journaled before", () => {
  const { rig, view } = rigAt(1);
  rig.work();
  const made = rig.propose(view);
  rig.from(1, made.message);
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
  expect(rig.journal.map((record) => record.kind).slice(-2)).toEqual(["proposal", "vote"]);
  const rival = rig.propose(view, undefined, { timeMs: rig.wallMs + 3 });
  rig.from(1, rival.message);
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
});

test("R3: a payload that arrives ahead of the leader's vote, is notarized when the vote comes", () => {
  const { rig, view } = rigAt(1);
  const made = rig.propose(view);
  rig.from(1, { kind: "proposal", proposal: made.proposal, block: made.block, nullifications: [] });
  expect(rig.cast).toEqual([]);
  rig.vote([1], notarize, view, made.id);
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
});

test("R3: a payload that the leader did not sign, from anyone else, is refused", () => {
  const { rig, view } = rigAt(1);
  const made = rig.propose(view);
  rig.from(2, { kind: "proposal", proposal: made.proposal, block: made.block, nullifications: [] });
  expect(rig.refusals).toEqual(["unsolicited"]);
  expect(rig.core.blocks.size).toBe(0);
});

test("R3: a proposal that is wrong for good, is nullified at once", () => {
  const bad: Partial<Parameters<Rig["propose"]>[2]>[] = [
    { stateRoot: new Uint8Array(32) },
    { height: 7 },
    { leader: 3 },
    { timeMs: 5 },
    { chainId: new Uint8Array(32) },
    { validatorSetHash: new Uint8Array(32) },
    { parentHash: new Uint8Array(32) },
    { parentBitmap: Uint8Array.of(1) },
    { view: 77 },
    { evidenceRoot: new Uint8Array(32) },
  ];
  for (const changes of bad) {
    const { rig, view } = rigAt(1);
    rig.from(1, rig.propose(view, undefined, changes).message);
    expect([changes, rig.cast]).toEqual([changes, [`NULLIFY 0:${view}`]]);
  }
});

test("R3: a gap in the proof of the parent, is fetched and not voted over", () => {
  const rig = new Rig();
  const view = rig.viewLedBy(1, 4);
  rig.show(rig.nullification(view - 1));
  const made = rig.propose(view);
  rig.from(1, made.message);
  rig.pass(150);
  expect(rig.cast).toEqual([]);
  expect(rig.sentOf("fetch").length).toBeGreaterThan(0);
  for (let v = 1; v < view - 1; v++) rig.show(rig.nullification(v));
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
});

test("R3: batches that are not local and durable, are fetched before the vote", () => {
  const { rig, view } = rigAt(1);
  const digest = rig.work();
  const made = rig.propose(view);
  rig.chain.batches.clear();
  rig.from(1, made.message);
  rig.pass(150);
  expect(rig.cast).toEqual([]);
  expect(rig.fetchedBatches).toEqual([digest]);
  rig.chain.hold(digest);
  rig.input({ kind: "batchesHeld" });
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
});

test("R3: a payload named by the leader's vote that does not come, is fetched from the leader", () => {
  const { rig, view } = rigAt(1);
  const made = rig.propose(view);
  rig.vote([1], notarize, view, made.id);
  rig.pass(150);
  const fetch = rig.sent.find(({ message }) => message.kind === "fetch");
  expect(fetch?.to).toBe(rig.peer(1));
  expect(fetch?.message).toMatchObject({ kind: "fetch", target: { kind: "proposal", view } });
});

test("R16: a time in the future, waits until it is within the drift, and is not nullified", () => {
  const { rig, view } = rigAt(1);
  rig.from(1, rig.propose(view, undefined, { timeMs: rig.wallMs + 1_200 }).message);
  expect(rig.cast).toEqual([]);
  rig.pass(199);
  expect(rig.cast).toEqual([]);
  rig.pass(2);
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
});

test("R16: a wall clock that was never set, is carried by the last final time and the monotonic clock", () => {
  const { rig, view } = rigAt(1);
  const made = rig.propose(view);
  rig.wallMs = 0;
  rig.nowMs += 20_000;
  rig.from(1, rig.propose(view, undefined, { timeMs: made.block.header.timeMs + 19_000 }).message);
  expect(rig.cast).toEqual([`NOTARIZE 0:${view}`]);
  const own = rigAt(0);
  own.rig.wallMs = 0;
  own.rig.work();
  expect(ownProposal(own.rig).block.header.timeMs).toBeGreaterThan(1_700_000_000_000 - 1);
});

test("R12: a notarized boundary block, may only be proposed again as it is", () => {
  const { rig, view } = rigAt(1, { epochBlocks: 1 });
  const boundary = rig.propose(view);
  expect(boundary.block.header.nextValidatorSetHash).toBeDefined();
  rig.from(1, boundary.message);
  const certificate = rig.certificate([1, 2, 3], notarize, view, boundary.proposal);
  rig.show(certificate);
  const next = view + 1;
  const leader = rig.leaderOf(next);
  const fresh = rig.propose(next, { proposal: boundary.proposal, certificate });
  rig.from(leader, fresh.message);
  expect(rig.cast.at(-1)).toBe(`NULLIFY 0:${next}`);
  rig.show(rig.nullification(next));
  const again = { epoch: 0, view: next + 1, parentView: view, blockHash: boundary.proposal.blockHash };
  rig.from(rig.leaderOf(next + 1), rig.message(again, boundary.block));
  expect(rig.cast.at(-1)).toBe(`NOTARIZE 0:${next + 1}`);
});

test("R12: a leader that holds a notarized boundary block, repeats it; its finalization opens the next epoch", () => {
  const rig = new Rig({ epochBlocks: 1 });
  const view = rig.viewLedBy(0, 2);
  for (let v = 1; v < view - 1; v++) rig.show(rig.nullification(v));
  const boundary = rig.propose(view - 1);
  rig.from(rig.leaderOf(view - 1), boundary.message);
  rig.show(rig.certificate([1, 2, 3], notarize, view - 1, boundary.proposal));
  rig.pass(3_000);
  const { proposal, block } = ownProposal(rig);
  expect([proposal.view, proposal.parentView, proposal.blockHash]).toEqual([view, view - 1, boundary.proposal.blockHash]);
  expect(block.header.view).toBe(view - 1);
  rig.show(rig.certificate([1, 2, 3], finalize, view, proposal));
  expect([rig.status.epoch, rig.status.view, rig.status.height]).toEqual([1, 1, 1]);
  rig.vote([2], nullify, 1);
  expect(rig.core.epoch.opening?.view).toBe(view);
});

test("R12: a boundary block whose view was nullified, may be passed over with that proof", () => {
  const { rig, view } = rigAt(1, { epochBlocks: 1 });
  const boundary = rig.propose(view);
  rig.from(1, boundary.message);
  rig.show(rig.certificate([1, 2, 3], notarize, view, boundary.proposal), rig.nullification(view));
  const fresh = rig.propose(view + 1);
  rig.from(rig.leaderOf(view + 1), fresh.message);
  expect(rig.cast.at(-1)).toBe(`NOTARIZE 0:${view + 1}`);
});

test("R12: a voter of the epoch before, is answered with the finalization that ended it", () => {
  const { rig, view } = rigAt(1, { epochBlocks: 1 });
  const boundary = rig.propose(view);
  rig.from(1, boundary.message);
  rig.show(rig.certificate([1, 2, 3], finalize, view, boundary.proposal));
  expect(rig.status.epoch).toBe(1);
  rig.pass(1_000);
  rig.from(3, { kind: "vote", vote: rig.makeVote(3, nullify, view, undefined, 0) });
  const answer = rig.sent.filter(({ to, message }) => to === rig.peer(3) && message.kind === "certificates").at(-1);
  expect(answer?.message).toMatchObject({ certificates: [{ kind: finalize, epoch: 0, view }] });
});
