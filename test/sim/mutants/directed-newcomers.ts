import type { Message } from "../../../src/consensus/index.ts";
import { bytesEqual, present } from "../../../src/kernel/index.ts";
import { leaderBySlots, type ValidatorSet } from "../../../src/protocol/index.ts";
import type { SimNode } from "../sim-node.ts";
import { concludeLive, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";
import { isProofOfEnd, succeed } from "./directed-openers.ts";

const EPOCH_BLOCKS = 4;
const WEIGHTS = [1n, 1n, 1n, 1n, 1n, 1n, 1n];
/** The only box that is in every set. */
const LASTING = 0;
const OLD = new Set([1, 2, 3]);
/** The view of the next epoch in which it votes: its votes in later ones would tell on it (J7). */
const VIEW = 2;

/**
 * All members but one change at a boundary whose finalization the old ones never see. With the new ones the lasting box
 * gets to view 2, which it leads, proposes and votes; then it is lost, chain and all, and one with its key and nothing else
 * comes in its place. The old members, who are up and behind, answer it, truthfully: they know of no
 * later epoch. R14 must keep it from proposing in that view again all the same.
 */
export function wipedAmongNewcomers(seed: number): TrialOutcome {
  const delayMs: readonly [number, number] = [0.2, 1 + (seed % 5) * 6];
  const cluster = makeCluster({
    seed,
    weights: WEIGHTS,
    epochBlocks: EPOCH_BLOCKS,
    hasSetChanges: "restaffed",
    delayMs,
    clones: [LASTING],
  });
  const lost = present(cluster.nodes[LASTING], "an index of the network");
  const fresh = present(cluster.nodes[WEIGHTS.length], "the lasting box has a successor");
  succeed(cluster, LASTING, fresh);
  // The sets of even epochs are the same, those of odd ones too; the cycle of leaders has four.
  let epoch = 4 + 4 * (seed % 2);
  while (!isLeader(cluster.rules.setOf(epoch + 1), epoch + 1, lost)) epoch += 2;
  for (const node of cluster.nodes.slice(0, WEIGHTS.length)) cluster.startNode(node);
  keepBusy(cluster, 20_000, 100);
  setFilter(cluster, (from, to, message) => {
    if (from === LASTING && isVotedIn(message, epoch + 1)) return false;
    return !OLD.has(to) || !tellsOfEnd(message, epoch);
  });
  const hasVoted = (): boolean => lost.votesSent.has(`1:${epoch + 1}:${VIEW}`);
  runFor(cluster, 15_000, hasVoted);
  if (!hasVoted()) return { findings: cluster.oracle.findings };
  cluster.crashNode(lost, true, Number.POSITIVE_INFINITY);
  fresh.wipeJournal();
  const successor = WEIGHTS.length;
  setFilter(cluster, (from, to, message) => [from, to].every((end) => OLD.has(end) || end === successor) && !tellsOfEnd(message, epoch));
  runFor(cluster, 60); // what is under way is lost too
  cluster.startNode(fresh);
  runFor(cluster, 8_000, () => fresh.status()?.recovery.kind === "gated");
  // The new members meet it before they meet each other, so that it comes to the view in which it voted.
  setFilter(cluster, (from, to, message) => (from === successor || to === successor) && !isVotedIn(message, epoch + 1));
  runFor(cluster, 12_000, () => fresh.votesSent.has(`1:${epoch + 1}:${VIEW}`) || gateEpochOf(fresh) > epoch);
  setFilter(cluster, (from) => from !== LASTING);
  return concludeLive(cluster, 30_000, (node) => node.startCount > 0 && node !== lost);
}

function tellsOfEnd(message: Message, epoch: number): boolean {
  return isProofOfEnd(message, epoch) || (message.kind === "vote" && message.vote.epoch > epoch);
}

/** A vote or proposal in the view, or later in its epoch. */
function isVotedIn(message: Message, epoch: number): boolean {
  if (message.kind === "vote") return message.vote.epoch === epoch && message.vote.view >= VIEW;
  return message.kind === "proposal" && message.proposal.epoch === epoch && message.proposal.view >= VIEW;
}

function isLeader(set: ValidatorSet, epoch: number, node: SimNode): boolean {
  const leader = set.validators[leaderBySlots(set, epoch, VIEW)];
  return leader !== undefined && bytesEqual(leader.publicKey, node.key.publicKey);
}

function gateEpochOf(node: SimNode): number {
  const recovery = node.status()?.recovery;
  return recovery?.kind === "gated" ? recovery.epoch : -1;
}
