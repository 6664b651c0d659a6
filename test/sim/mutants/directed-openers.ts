import type { Message } from "../../../src/consensus/index.ts";
import { present } from "../../../src/kernel/index.ts";
import { leaderBySlots, VOTE_KIND } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import type { SimNode } from "../sim-node.ts";
import { concludeLive, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

const EPOCH_BLOCKS = 4;
const WEIGHTS = [1n, 1n, 1n, 1n];

/**
 * The leader of an epoch's first view alone sees the finalization of the boundary block, opens the epoch, proposes and
 * votes; then the whole box is lost, chain and all, and one with its key and nothing else comes in its place. The gate of
 * R14 must keep it from proposing in that first view again.
 */
export function wipedOpener(seed: number): TrialOutcome {
  const cluster = makeCluster({
    seed,
    weights: WEIGHTS,
    epochBlocks: EPOCH_BLOCKS,
    delayMs: [0.2, 1 + (seed % 5) * 6],
    clones: [0, 1, 2, 3],
  });
  const epoch = seed % 3;
  const leader = leaderBySlots(cluster.rules.setOf(epoch + 1), epoch + 1, 1);
  const key = present(cluster.rules.setOf(epoch + 1).validators[leader], "a leader is in the set").publicKey;
  const opener = cluster.nodes.findIndex((node) => Buffer.from(node.key.publicKey).equals(key));
  const successor = opener + WEIGHTS.length;
  const lost = present(cluster.nodes[opener], "an index of the network");
  const fresh = present(cluster.nodes[successor], "each box has a successor");
  succeed(cluster, opener, fresh);
  for (const node of cluster.nodes.slice(0, WEIGHTS.length)) cluster.startNode(node);
  keepBusy(cluster, 10_000, 100);
  const hasOpened = (): boolean => lost.votesSent.has(`1:${epoch + 1}:1`);
  setFilter(cluster, (from, to, message) => {
    if (from === opener && (lost.status()?.epoch ?? 0) > epoch) return false;
    return to === opener || !isProofOfEnd(message, epoch);
  });
  runFor(cluster, 10_000, hasOpened);
  if (!hasOpened()) return { findings: cluster.oracle.findings };
  cluster.crashNode(lost, true, Number.POSITIVE_INFINITY);
  fresh.wipeJournal();
  setFilter(cluster, (from, _to, message) => from !== opener && !isProofOfEnd(message, epoch));
  runFor(cluster, 60);
  cluster.startNode(fresh);
  runFor(cluster, 8_000, () => fresh.status()?.recovery.kind === "gated");
  setFilter(cluster, (from) => from !== opener);
  return concludeLive(cluster, 30_000, (node) => node.startCount > 0 && node !== lost);
}

/**
 * Gives a box a successor with its key and nothing else, which is no clone: one at a time runs the key. The successor is
 * among the last boxes, one for each validator that has one.
 */
export function succeed(cluster: Cluster, lost: number, fresh: SimNode): void {
  for (const node of cluster.nodes) node.sharesKey = false;
  // The successor commits blocks that its key signed in a box that is gone, journal and all.
  const onCommit = cluster.oracle.onCommit.bind(cluster.oracle);
  cluster.oracle.onCommit = (node, blocks) => (node === fresh ? undefined : onCommit(node, blocks));
  const gone = present(cluster.nodes[lost], "an index of the network");
  const successor = cluster.nodes.indexOf(fresh);
  const send = cluster.network.send.bind(cluster.network);
  // What is for a box that is gone goes to the one in its place; boxes of others stay who they are.
  cluster.network.send = (from, to, parcel) => {
    const original = cluster.nodes.findIndex((node) => node.id === cluster.nodes[to]?.id);
    send(from, original === cluster.nodes.indexOf(gone) && fresh.startCount > 0 ? successor : original, parcel);
  };
}

/** A FINALIZE or finalization of the boundary block, or of anything else near the epoch's end, in any message. */
export function isProofOfEnd(message: Message, epoch: number): boolean {
  if (message.kind === "vote") return message.vote.kind === VOTE_KIND.finalize && message.vote.epoch === epoch && isLate(message.vote.view);
  if (message.kind === "certificates")
    return message.certificates.some(
      (each) => each.epoch > epoch || (each.kind === VOTE_KIND.finalize && each.epoch === epoch && isLate(each.view)),
    );
  if (message.kind === "finalBlocks") return message.finalization.epoch === epoch && isLate(message.finalization.view);
  return message.kind === "proposal" && message.proposal.epoch > epoch;
}

/** Views of a run of four blocks that may hold the boundary block. */
function isLate(view: number): boolean {
  return view >= EPOCH_BLOCKS;
}
