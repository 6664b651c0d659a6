import { expect, test } from "bun:test";
import type { JournalReplay } from "../../src/consensus/index.ts";
import { Prng, present } from "../../src/kernel/index.ts";
import { VOTE_KIND } from "../../src/protocol/index.ts";
import { MemoryFileSystem } from "../../src/storage/index.ts";
import { createJournal, openJournal, VoteGuard } from "../../src/validator/index.ts";
import { Cluster } from "../sim/cluster.ts";
import {
  CHAIN_ID,
  DIRECTORY,
  diskWithJournal,
  filesOn,
  KEY,
  notarize as notarizeVote,
  nullify as nullifyVote,
  open,
  proposalRecord,
  replayedVotes,
  voteRecord,
} from "../unit/validator/samples.ts";
import { FRESH_JOURNAL, LOST_JOURNAL, Rig } from "./rig.ts";

const { notarize, nullify, finalize } = VOTE_KIND;

/** What this rig's journal would replay after a crash now. */
function replayOf(rig: Rig): JournalReplay {
  return { ...FRESH_JOURNAL, records: rig.journal.filter((record) => record.kind !== "recovery" && record.kind !== "floor") };
}

test("J1: a vote, is journaled before it is signed and signed before it leaves", () => {
  const rig = new Rig();
  rig.work();
  rig.pass(400);
  expect(rig.cast).toEqual(["NULLIFY 0:1"]);
  const [persisted, signed, sent] = [rig.trace.indexOf("persist"), rig.trace.indexOf("sign"), rig.trace.indexOf("broadcast")];
  expect(persisted).toBeGreaterThanOrEqual(0);
  expect(persisted < signed && signed < sent).toBe(true);
});

test("J1: a box whose sync fails, has sent no vote and sends none after", () => {
  const cluster = new Cluster({ seed: 5, weights: [1n, 1n, 1n, 1n] });
  cluster.start();
  cluster.run(100);
  const [node] = cluster.nodes;
  if (!node) throw new Error("there are four nodes");
  node.disk.failingSyncCount = 1;
  expect(() => {
    cluster.spread(cluster.submit([0, 1, 2, 3]), 5);
    cluster.run(5_000);
  }).toThrow("EIO");
  expect(node.votesSent.size).toBe(0);
});

test("J2: the certificate by which a view was entered, is journaled no later than the first vote in it", () => {
  const rig = new Rig();
  rig.show(rig.nullification(1), rig.nullification(2));
  rig.work();
  rig.pass(20_000);
  expect(rig.cast[0]).toBe("NULLIFY 0:3");
  expect(rig.journal.slice(0, 2).map((record) => record.kind)).toEqual(["certificate", "vote"]);
  const again = new Rig({ replay: replayOf(rig) });
  expect(again.status.view).toBe(3);
});

test("J3: a vote sent again after a restart, is byte-identical and no other one is signed in its round", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  rig.from(1, made.message);
  const again = new Rig({ replay: replayOf(rig) });
  const rival = again.propose(1, undefined, { timeMs: again.wallMs + 5 });
  again.from(1, rival.message);
  expect(again.votes).toEqual([present(rig.votes[0], "a vote")]);
});

test("J3: the guard asked for a vote that the journal does not hold, refuses", () => {
  const journal = open(diskWithJournal().files);
  const guard = new VoteGuard(journal, KEY, CHAIN_ID);
  expect(guard.check(notarizeVote(1))).toBe("notDurable");
  journal.append(voteRecord(notarizeVote(1)));
  journal.syncNow();
  expect(guard.check(notarizeVote(1))).toBeUndefined();
  expect(guard.check(notarizeVote(1, "a rival"))).toBe("conflict");
});

test("J4: a proposal's payload, may leave before the sync; the leader's NOTARIZE may not", () => {
  const rig = new Rig({ self: 1 });
  rig.work();
  const [message] = rig.sentOf("proposal");
  expect(message?.leaderVote).toBeUndefined();
  const payload = rig.trace.indexOf("broadcast");
  expect(payload < rig.trace.indexOf("persist")).toBe(true);
  expect(rig.trace.indexOf("sign") > rig.trace.lastIndexOf("persist")).toBe(true);
  expect(rig.journal.map((record) => record.kind)).toEqual(["proposal", "vote"]);
});

test("J5: the journal, is pruned only to a floor that the chain has committed", () => {
  const rig = new Rig({ weights: [1n] });
  rig.work();
  expect(rig.trace.indexOf("commit") < rig.trace.indexOf("prune")).toBe(true);
  expect(rig.pruned).toEqual([{ epoch: 0, view: 1 }]);
});

test("J5: at start the floor, is the later of journal and chain", () => {
  const before = new Rig();
  const made = before.propose(1);
  before.from(1, made.message);
  before.show(before.certificate([1, 2, 3], finalize, 1, made.proposal));
  const onChain = new Rig({ chain: before.chain });
  expect([onChain.status.floor, onChain.status.view]).toEqual([{ epoch: 0, view: 1 }, 2]);
  const onJournal = new Rig({ replay: { ...FRESH_JOURNAL, floor: { epoch: 0, view: 9 } } });
  expect([onJournal.status.floor, onJournal.status.view]).toEqual([{ epoch: 0, view: 9 }, 10]);
  onJournal.show(onJournal.certificate([1, 2, 3], notarize, 7, { ...made.proposal, view: 7 }));
  onJournal.pass(150);
  onJournal.from(1, { kind: "block", block: made.block });
  expect(onJournal.cast).toEqual([]);
});

test("J6: after a restart the journal's own votes, are counted and sent again", () => {
  const rig = new Rig();
  const made = rig.propose(1);
  rig.from(1, made.message);
  const again = new Rig({ replay: replayOf(rig) });
  expect(again.cast).toEqual(["NOTARIZE 0:1"]);
  again.vote([1, 2], notarize, 1, made.id);
  expect(again.core.epoch.views.get(1)?.notarization).toBeDefined();
});

test("J6: a single validator that lost power between NOTARIZE and FINALIZE, finishes the block alone", () => {
  const rig = new Rig({ weights: [1n] });
  const digest = rig.work();
  const records = rig.journal.slice(0, 2);
  expect(records.map((record) => record.kind)).toEqual(["proposal", "vote"]);
  const again = new Rig({ weights: [1n], replay: { ...FRESH_JOURNAL, records } });
  again.chain.hold(digest);
  again.input({ kind: "batchesHeld" });
  again.pass(2_000);
  expect(again.chain.committed[0]?.hash).toEqual(present(rig.chain.committed[0], "the first run committed").hash);
});

test("J6: a power cut of every box at once, after all have voted, loses no block", () => {
  const cluster = new Cluster({ seed: 11, weights: [1n, 1n, 1n, 1n] });
  cluster.start();
  cluster.run(50);
  cluster.isLinkUp = (_from, _to, message) => !(message.kind === "vote" && message.vote.kind === finalize);
  const digest = cluster.submit([0, 1, 2, 3]);
  cluster.run(30);
  expect(cluster.nodes.every((node) => node.votesSent.has("3:0:1") && node.chain.committed.length === 0)).toBe(true);
  for (const node of cluster.nodes) cluster.crashNode(node, true, 10);
  cluster.isLinkUp = () => true;
  const isDone = cluster.run(5_000, () => cluster.nodes.every((node) => node.chain.isExecuted(digest)));
  expect([isDone, cluster.oracle.findings]).toEqual([true, []]);
});

test("J7: a torn last record, is dropped, and what stands before it stays", () => {
  let lost = 0;
  for (let seed = 0; seed < 60; seed++) {
    const { fs, files } = diskWithJournal({ prng: new Prng(seed), hasGarbledSectors: true });
    const journal = open(files);
    journal.append(voteRecord(notarizeVote(1)));
    journal.syncNow();
    journal.append(proposalRecord(2));
    journal.append(voteRecord(nullifyVote(2)));
    fs.failingSyncCount = 1;
    expect(() => journal.syncNow()).toThrow();
    fs.crash();
    const votes = replayedVotes(open(files));
    expect(votes[0]).toEqual(notarizeVote(1));
    if (votes.length === 1) lost++;
  }
  expect(lost).toBeGreaterThan(5);
});

test("J7: an invalid record before a valid one, a missing and an empty journal, are lost and never continued", () => {
  for (const damage of ["flip", "empty", "missing"] as const) {
    const { fs, files } = diskWithJournal();
    const journal = open(files);
    for (let view = 1; view < 4; view++) {
      journal.append(voteRecord(notarizeVote(view)));
      journal.syncNow();
    }
    journal.close();
    if (damage === "flip") fs.flipBit(`${DIRECTORY}/00000000.seg`, 8 * 260);
    if (damage === "empty") fs.wipe(`${DIRECTORY}/00000000.seg`);
    if (damage === "missing") fs.wipe(DIRECTORY);
    const again = open(files);
    expect(replayedVotes(again)).toBe(damage === "flip" ? "damaged" : damage);
    expect(new VoteGuard(again, KEY, CHAIN_ID).check(notarizeVote(9))).toBe("recovering");
    expect(() => again.append(voteRecord(notarizeVote(9)))).toThrow();
  }
});

test("J7: a bit flipped anywhere in a closed journal, is found", () => {
  const { fs, files } = diskWithJournal();
  const journal = open(files);
  for (let view = 1; view < 4; view++) {
    journal.append(voteRecord(notarizeVote(view)));
    journal.syncNow();
  }
  journal.close();
  const path = `${DIRECTORY}/00000000.seg`;
  const size = fs.stat(path)?.sizeBytes ?? 0;
  for (let bit = 0; bit < 8 * size; bit += 5) {
    fs.flipBit(path, bit);
    const found = replayedVotes(openJournal(files, { publicKey: KEY.publicKey, isBlocking: true }));
    expect([bit, found]).toEqual([bit, "damaged"]);
    fs.flipBit(path, bit);
  }
});

test("J7: a peer that shows a vote of ours above the floor that the journal lacks, makes us recover", () => {
  const shown = new Rig({ isGreeted: false });
  shown.greet([]);
  const vote = shown.makeVote(0, nullify, 4);
  const forged = { ...vote, signature: new Uint8Array(64) };
  shown.from(1, { kind: "helloAnswer", token: shown.core.helloToken, votesOfYours: [forged] });
  expect(shown.status.recovery.kind).toBe("intact");
  shown.from(1, { kind: "helloAnswer", token: shown.core.helloToken, votesOfYours: [vote] });
  expect(shown.status.recovery.kind).toBe("recovering");
  const certified = new Rig();
  certified.show(certified.certificate([0, 1, 2], nullify, 5));
  expect(certified.status.recovery.kind).toBe("recovering");
});

test("J7: a vote of ours at or below the floor or before the gate, is no reason to recover", () => {
  const rig = new Rig({ replay: { ...FRESH_JOURNAL, recovery: { kind: "gated", epoch: 0, firstView: 10 } } });
  rig.show(rig.certificate([0, 1, 2], nullify, 9));
  expect(rig.status.recovery.kind).toBe("gated");
  rig.show(rig.certificate([0, 1, 2], nullify, 10));
  expect(rig.status.recovery.kind).toBe("recovering");
});

test("J7: a single validator with a lost journal, follows and never votes until its operator acts", () => {
  const rig = new Rig({ weights: [1n], replay: LOST_JOURNAL });
  rig.work();
  rig.pass(120_000);
  expect([rig.status.voting, rig.cast, rig.journal]).toEqual(["mute", [], []]);
});

test("J8: the start of a recovery cut at every effect, leaves a lost or a recovering journal, never a clean one", () => {
  const seen = new Set<string>();
  for (let at = 0; at < 60; at++) {
    let left = -1;
    const fs = new MemoryFileSystem({
      prng: new Prng(at),
      onEffect: () => {
        if (left-- === 0) throw new Error("power cut");
      },
    });
    fs.makeDirectory("/home");
    fs.syncDirectory("/");
    const files = filesOn(fs);
    createJournal(files, KEY.publicKey);
    fs.wipe(`${DIRECTORY}/00000000.seg`);
    const journal = open(files);
    left = at;
    try {
      journal.append({ kind: "recovery", status: { kind: "recovering" } });
    } catch (error) {
      if (!(error instanceof Error) || error.message !== "power cut") throw error;
    }
    left = -1;
    fs.crash();
    const replay = open(files).replay();
    seen.add(replay.kind === "lost" ? replay.loss : replay.recovery.kind);
  }
  expect([...seen].sort()).toEqual(["empty", "missing", "recovering"]);
});
