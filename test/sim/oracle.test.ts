import { expect, test } from "bun:test";
import { type FinalizedBlock, LAN_TIMERS } from "../../src/consensus/index.ts";
import { sha256 } from "../../src/crypto/index.ts";
import { present, utf8 } from "../../src/kernel/index.ts";
import {
  blockHashOf,
  type Certificate,
  encodeEvidence,
  makeVoteEvidence,
  type Proposal,
  proposalIdOf,
  VOTE_KIND,
  type Vote,
  type VoteKind,
  voteSignBytes,
} from "../../src/protocol/index.ts";
import { Cluster } from "./cluster.ts";
import { Ballots } from "./oracle/ballots.ts";
import { ChainCheck, ModelReexecution } from "./oracle/chain-check.ts";
import { DiskCheck } from "./oracle/disk-check.ts";
import { Judge } from "./oracle/judge.ts";
import { ProgressCheck } from "./oracle/progress-check.ts";
import { TrafficCheck } from "./oracle/traffic-check.ts";
import type { SimNode } from "./sim-node.ts";

/** Four boxes that have made some blocks, one of them silent, so that views were nullified too. */
function settled(): Cluster {
  const cluster = new Cluster({ seed: 5, weights: [1n, 1n, 1n, 1n] });
  for (const node of cluster.nodes.slice(0, 3)) cluster.startNode(node);
  for (let at = 0; at < 2_000; at += 100) cluster.schedule.after(at, () => cluster.spread(cluster.submit([0]), 20));
  cluster.run(4_000, () => cluster.lowestHeight >= 6);
  expect([cluster.oracle.findings, cluster.lowestHeight]).toEqual([[], 6]);
  return cluster;
}

const WORLD = settled();
const RULES = { ...WORLD.rules, suite: WORLD.keys.suite };
const NODE = box(0);
const FIRST = finalized(0);
const LAST = finalized(5);

function box(index: number): SimNode {
  return present(WORLD.nodes[index], "a box");
}

function finalized(at: number): FinalizedBlock {
  return present(NODE.chain.committed[at], "a final block");
}

/** A vote that this box's key signs behind its journal's back. */
function forged(node: SimNode, kind: VoteKind, view: number, proposalId?: Uint8Array): Vote {
  const statement = proposalId ? { kind, epoch: 0, view, proposalId } : { kind, epoch: 0, view };
  const signature = node.key.sign(voteSignBytes(RULES.chainId, statement));
  if (signature instanceof Promise) throw new Error("simulated keys sign at once");
  const signer = RULES.setOf(0).validators.findIndex(({ publicKey }) => Buffer.compare(publicKey, node.key.publicKey) === 0);
  return { ...statement, signer, signature };
}

function proposalAt(view: number, name: string): Proposal {
  return { epoch: 0, view, parentView: 0, blockHash: sha256(utf8(name)) };
}

type Cast = readonly (readonly [VoteKind, number, Uint8Array?])[];

/** Ballots that have heard these votes of the first three boxes. */
function ballotsOf(...cast: Cast): Ballots {
  const ballots = new Ballots(RULES);
  for (const [kind, view, id] of cast) for (const node of WORLD.nodes.slice(0, 3)) ballots.hearVote(forged(node, kind, view, id));
  return ballots;
}

function verdictOf(ballots: Ballots, isFaulty = true): readonly string[] {
  const judge = new Judge();
  ballots.conclude(judge, () => isFaulty);
  return judge.findings.map((finding) => finding.split(":")[0] ?? "");
}

const A = proposalIdOf(proposalAt(900, "a"));
const B = proposalIdOf(proposalAt(900, "b"));

test("oracle: another block at a height, S1", () => {
  const judge = new Judge();
  const chain = new ChainCheck(RULES, judge);
  chain.observe(NODE);
  const other = { ...box(1), chain: { ...box(1).chain, committed: [LAST], stateRoot: NODE.chain.stateRoot }, name: "forger" };
  chain.observe(Object.setPrototypeOf(other, null));
  expect(judge.findings).toContain("S1: forger: another block at height 1");
});

test("oracle: an honest signer that contradicts itself in any way, S2; one that does not, nothing", () => {
  const said = (...cast: Cast): readonly string[] => verdictOf(ballotsOf(...cast), false).filter((p) => p === "S2");
  expect(said([VOTE_KIND.notarize, 900, A], [VOTE_KIND.notarize, 900, B])).toContain("S2");
  expect(said([VOTE_KIND.finalize, 900, A], [VOTE_KIND.finalize, 900, B])).toContain("S2");
  expect(said([VOTE_KIND.finalize, 900, A], [VOTE_KIND.nullify, 900])).toContain("S2");
  expect(said([VOTE_KIND.notarize, 900, A], [VOTE_KIND.finalize, 900, B])).toContain("S2");
  expect(said([VOTE_KIND.notarize, 900, A], [VOTE_KIND.nullify, 900])).toEqual([]);
});

test("oracle: two notarized proposals, S3; nullified and finalized, S4; finalized without notarization, S5", () => {
  expect(verdictOf(ballotsOf([VOTE_KIND.notarize, 900, A], [VOTE_KIND.notarize, 900, B]))).toEqual(["S3"]);
  expect(verdictOf(ballotsOf([VOTE_KIND.notarize, 900, A], [VOTE_KIND.finalize, 900, A], [VOTE_KIND.nullify, 900]))).toEqual(["S4"]);
  expect(verdictOf(ballotsOf([VOTE_KIND.finalize, 900, A]))).toEqual(["S5"]);
  expect(verdictOf(ballotsOf([VOTE_KIND.notarize, 900, A], [VOTE_KIND.finalize, 900, A]))).toEqual([]);
});

test("oracle: a final chain that passes over a view nobody nullified, S6", () => {
  const judge = new Judge();
  const chain = new ChainCheck(RULES, judge);
  chain.observe(NODE);
  chain.conclude(new Ballots(RULES));
  expect(judge.findings.some((finding) => finding.startsWith("S6: block"))).toBe(true);
});

test("oracle: every way to forge a certificate, S7", () => {
  const good = LAST.finalization;
  const fault = (change: Partial<Certificate>): string | undefined => new Ballots(RULES).hearCertificate({ ...good, ...change });
  const [first = new Uint8Array()] = good.signatures;
  expect(fault({})).toBeUndefined();
  expect(fault({ bitmap: Uint8Array.of(0b0011), signatures: good.signatures.slice(0, 2) })).toBeDefined();
  expect(fault({ signatures: good.signatures.map(() => first) })).toContain("not valid");
  expect(fault({ signatures: [...good.signatures, first] })).toContain("signatures");
  expect(fault({ bitmap: Uint8Array.of(0xff) })).toBeDefined();
  expect(fault({ epoch: 1 })).toContain("another round");
  const { proposal: _proposal, ...bare } = good;
  expect(new Ballots(RULES).hearCertificate(bare)).toContain("kind");
});

test("oracle: a root that execution does not give, S8", () => {
  const { block } = FIRST;
  const wrong = { ...block, header: { ...block.header, stateRoot: sha256(utf8("wrong")) } };
  expect(new ModelReexecution().execute(block)).toBeUndefined();
  expect(new ModelReexecution().execute(wrong)).toContain("state root");
});

test("oracle: floor, height, view or gate that moves back, S9", () => {
  const status = present(NODE.status(), "a box that is up");
  const back = (change: object, before: object = {}): readonly string[] => {
    const judge = new Judge();
    const progress = new ProgressCheck(RULES, judge);
    progress.observe(NODE, { ...status, ...before });
    progress.observe(NODE, { ...status, ...before, ...change });
    return judge.findings;
  };
  expect(back({})).toEqual([]);
  expect(back({ height: status.height - 1 })).toEqual(["S9: node 0: the height moved back"]);
  expect(back({ floor: { epoch: 0, view: 0 } })).toEqual(["S9: node 0: the floor moved back"]);
  expect(back({ view: status.view - 1 })).toEqual(["S9: node 0: the view moved back"]);
  const gated = { recovery: { kind: "gated", epoch: 0, firstView: 9_000 } } as const;
  expect(back({ recovery: { kind: "gated", epoch: 0, firstView: 8_999 } }, gated)).toEqual(["S9: node 0: the gate moved back"]);
  expect(back({ recovery: { kind: "intact" } }, gated)).toHaveLength(1);
});

test("oracle: a commit whose own FINALIZE the platter lacks, S10", () => {
  const judge = new Judge();
  const cluster = settled();
  const node = present(cluster.nodes[0], "a box");
  node.disk.wipe("/home/journal");
  new DiskCheck(RULES, judge, () => {}).onCommit(node, [present(node.chain.committed.at(-1), "a final block")]);
  expect(judge.findings[0]).toContain("S10: node 0: commits");
});

test("oracle: a vote that leaves without lying on the platter, S11", () => {
  const judge = new Judge();
  new DiskCheck(RULES, judge, () => {}).onSent(NODE, { kind: "vote", vote: forged(NODE, VOTE_KIND.nullify, 900) });
  expect(judge.findings[0]).toContain("S11: node 0: a vote leaves that is not durable");
});

test("oracle: boxes whose disks lie about syncs, are caught sending what no platter holds", () => {
  const cluster = new Cluster({ seed: 6, weights: [1n, 1n, 1n, 1n] });
  for (const node of cluster.nodes) node.disk.liesAboutSync = true;
  cluster.start();
  cluster.spread(cluster.submit(), 10);
  cluster.run(2_000);
  expect(cluster.oracle.findings.some((finding) => finding.startsWith("S11"))).toBe(true);
});

test("oracle: a batch executed twice, S12", () => {
  const again = new ModelReexecution();
  const batch = present(
    NODE.chain.committed.find(({ block }) => block.batchDigests.length > 0),
    "a block with batches",
  );
  again.execute(batch.block);
  expect(again.execute(batch.block)).toContain("twice");
});

test("oracle: another validator set in an epoch, S13", () => {
  const judge = new Judge();
  const { block } = FIRST;
  const header = { ...block.header, validatorSetHash: sha256(utf8("another set")) };
  const committed = [{ ...FIRST, block: { ...block, header }, hash: blockHashOf(header) }];
  new ChainCheck(RULES, judge).observe(Object.setPrototypeOf({ name: "stranger", chain: { committed } }, null));
  expect(judge.findings).toContain("S13: stranger: another validator set in epoch 0");
});

test("oracle: evidence that convicts an honest box, S14", () => {
  const cluster = settled();
  const [a, b] = [forged(NODE, VOTE_KIND.finalize, 900, A), forged(NODE, VOTE_KIND.finalize, 900, B)];
  cluster.oracle.judgeEvidence(box(1), cluster.nodes, encodeEvidence(makeVoteEvidence(a, b)));
  expect(cluster.oracle.findings).toEqual(["S14: node 0: an honest box is convicted"]);
});

test("oracle: what a light client wrongly accepts, S15", () => {
  const cluster = settled();
  cluster.oracle.lightClient = () => ["a block that is not final was accepted"];
  cluster.run(1);
  expect(cluster.oracle.findings).toEqual(["S15: a block that is not final was accepted"]);
});

test("oracle: a box that holds more than R0 allows, S16", () => {
  const status = present(NODE.status(), "a box that is up");
  const held = present(NODE.loop, "a running loop").held();
  const over = (change: object): number => {
    const judge = new Judge();
    new ProgressCheck(RULES, judge).observeMemory(NODE, status, { ...held, ...change });
    return judge.findings.length;
  };
  expect(over({})).toBe(0);
  for (const what of ["views", "votes", "proposals", "blocks", "fetches", "forwards", "evidence", "targets", "previousViews"])
    expect([what, over({ [what]: 100_000 })]).toEqual([what, 1]);
});

test("oracle: answers beyond a peer's budget and a timer above its cap, are told", () => {
  const judge = new Judge();
  const traffic = new TrafficCheck(judge);
  traffic.onSent(NODE, box(1).id, { kind: "block", block: FIRST.block }, 2 ** 30);
  NODE.host.longestTimerMs = 2 * LAN_TIMERS.heartbeatMs;
  traffic.conclude([NODE, box(1)], 1_000, LAN_TIMERS);
  expect(judge.findings.map((finding) => finding.split(":")[0])).toEqual(["egress", "timer"]);
});
