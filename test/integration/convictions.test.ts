import { expect, test } from "bun:test";
import { sha256 } from "../../src/crypto/index.ts";
import { present, toHex, utf8 } from "../../src/kernel/index.ts";
import { encodeEvidence, makeVoteEvidence, VOTE_KIND, type Vote, voteSignBytes } from "../../src/protocol/index.ts";
import { Cluster } from "../sim/cluster.ts";
import { WholeWorld } from "../sim/whole-world.ts";

const WEIGHTS = [1n, 1n, 1n, 1n, 1n];

/** Five whole nodes under a simulated clock, network and disk. */
function makeFive(seed: number) {
  const cluster = new Cluster({ seed, weights: WEIGHTS, fidelity: "whole" });
  const { world } = cluster;
  if (!(world instanceof WholeWorld)) throw new Error("a whole cluster has a whole world");
  const contextsOf = (index: number) => present(world.nodeOf(index).contexts, "the node runs");
  /** A round of transactions, and time for them to become final everywhere. */
  const work = (ms = 2_000) => {
    for (let at = 0; at < ms; at += 200) cluster.schedule.after(at, () => void cluster.submit());
    cluster.run(ms);
  };
  return { cluster, world, contextsOf, work };
}

/** Two NOTARIZE of a validator in one view of epoch 0. */
function doubleVote(cluster: Cluster, index: number): Uint8Array {
  const { chainId, setOf } = cluster.rules;
  const key = cluster.keys.make(`validator ${index}`);
  const signer = setOf(0).validators.findIndex(({ publicKey }) => toHex(publicKey) === toHex(key.publicKey));
  const [first, second] = ["one", "two"].map((text): Vote => {
    const statement = { kind: VOTE_KIND.notarize, epoch: 0, view: 2, proposalId: sha256(utf8(text)) };
    const signature = key.sign(voteSignBytes(chainId, statement));
    if (signature instanceof Promise) throw new Error("these keys sign at once");
    return { ...statement, signer, signature };
  });
  return encodeEvidence(makeVoteEvidence(present(first, "a vote"), present(second, "a vote")));
}

test("convictions: evidence that one of five nodes finds, and the next epoch runs without the accused", () => {
  const { cluster, world, contextsOf, work } = makeFive(3);
  const accused = present(cluster.nodes[2], "five nodes");
  accused.tamper = (_to, message) => [message]; // it is no honest one, as far as the oracle is concerned
  cluster.start();
  work();
  const evidence = doubleVote(cluster, 2);
  cluster.schedule.after(1, () => contextsOf(0).loop.onEvidence(evidence));
  work();
  for (let at = 0; at < WEIGHTS.length; at++) {
    const { blocks, loop } = contextsOf(at);
    expect([at, loop.status().epoch]).toEqual([at, 1]);
    const keys = blocks.reader.currentEpoch().validatorSet.validators.map(({ publicKey }) => toHex(publicKey));
    expect(keys).toHaveLength(4);
    expect(keys).not.toContain(accused.id);
    expect(blocks.canConvict(evidence)).toBe(false);
  }
  const before = contextsOf(0).blocks.tip().height;
  const restarted = present(cluster.nodes[1], "five nodes");
  cluster.crashNode(restarted, true, Number.POSITIVE_INFINITY);
  work();
  cluster.startNode(restarted);
  work(4_000);
  expect(contextsOf(0).blocks.tip().height).toBeGreaterThan(before + 5);
  const heights = WEIGHTS.map((_, at) => contextsOf(at).blocks.tip().height);
  expect(new Set(heights).size).toBe(1);
  expect(new Set(WEIGHTS.map((_, at) => toHex(contextsOf(at).state.root))).size).toBe(1);
  expect(world.load.pendingCount).toBe(0);
  expect([cluster.oracle.findings, cluster.failures]).toEqual([[], []]);
});
