import { assert, present } from "../../../src/kernel/index.ts";
import { decodeTransaction, signTransaction, transactionAad } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import { WholeWorld } from "../whole-world.ts";
import { makeCluster, runFor, type TrialOutcome } from "./arena.ts";

const FOUR = [1n, 1n, 1n, 1n];
/** Far below the heartbeat, which would hide what is wrong. */
const FINAL_WITHIN_MS = 25_000;

/** Whole nodes: the one box that holds a transaction is cut off while it announces it, and does not lead. It must become final all the same. */
export function lostAnnouncement(seed: number): TrialOutcome {
  const cluster = quietNetwork(seed);
  const holder = otherThanLeader(cluster);
  cluster.network.isLinkUp = (from, to) => from !== holder && to !== holder;
  const id = handIn(cluster, holder);
  runFor(cluster, 300 + cluster.prng.below(400));
  cluster.network.isLinkUp = () => true;
  return concludeFinal(cluster, id);
}

/** Whole nodes: the leader of an idle network is down when another box is given a transaction, which all then hold. */
export function downLeader(seed: number): TrialOutcome {
  const cluster = quietNetwork(seed);
  const leader = leaderOf(cluster);
  const holder = otherThanLeader(cluster);
  cluster.crashNode(present(cluster.nodes[leader], "a leader is a box"), true, Number.POSITIVE_INFINITY);
  const id = handIn(cluster, holder);
  return concludeFinal(cluster, id);
}

function quietNetwork(seed: number): Cluster {
  const cluster = makeCluster({ seed, weights: FOUR, fidelity: "whole", delayMs: [0.2, 1 + (seed % 4) * 5] });
  cluster.start();
  runFor(cluster, 1_500);
  return cluster;
}

/** Hands one transaction to one box, once: nobody asks again. */
function handIn(cluster: Cluster, box: number): Uint8Array {
  assert(cluster.world instanceof WholeWorld, "transactions are for whole nodes");
  const { contexts } = cluster.world.nodeOf(box);
  const account = cluster.keys.make("account 0");
  const aad = transactionAad(cluster.rules.chainId);
  const body = { type: 2, stream: "lone", content: { digest: cluster.prng.bytes(32) } } as const;
  const encoded = signTransaction(account, aad, { sender: account.publicKey, nonce: 0n, fee: 5n, validUntil: 1_000_000n, body });
  const decoded = decodeTransaction(aad, encoded);
  assert(decoded.ok, "what was just signed decodes");
  present(cluster.nodes[box], "an index of the network").enter(() => {
    present(contexts, "the box is up")
      .mempool.submit([encoded], "device")
      .catch(() => {});
  });
  return decoded.value.id;
}

function concludeFinal(cluster: Cluster, id: Uint8Array): TrialOutcome {
  const isFinal = (): boolean => cluster.nodes.every((node) => !node.isUp || cluster.world.isFinal(node, id));
  runFor(cluster, FINAL_WITHIN_MS, isFinal);
  const findings = [...cluster.oracle.findings];
  if (findings.length === 0 && !isFinal()) findings.push(`L: a transaction that one box took is not final ${FINAL_WITHIN_MS} ms later`);
  return { findings };
}

/** The box that leads the current view. */
function leaderOf(cluster: Cluster): number {
  return cluster.nodes.findIndex((node) => node.status()?.leader === node.status()?.self);
}

function otherThanLeader(cluster: Cluster): number {
  return (leaderOf(cluster) + 1 + cluster.prng.below(3)) % cluster.nodes.length;
}
