import type { Message } from "../../../src/consensus/index.ts";
import { bytesEqual, present } from "../../../src/kernel/index.ts";
import { type Certificate, leaderBySlots, VOTE_KIND, type VoteKind } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import { concludeLive, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

/**
 * A leader knows nothing of a view that is final elsewhere, only that the one after it was nullified. It must not build on
 * what lies below, nor may the others notarize that: the nullification of the view between is missing.
 */
export function hiddenView(seed: number): TrialOutcome {
  const cluster = makeCluster({ seed, weights: [1n, 1n, 1n, 1n], delayMs: [0.2, 1 + (seed % 4) * 5] });
  const hidden = 3 + cluster.prng.below(5);
  const silent = boxThatLeads(cluster, hidden + 1);
  const blind = boxThatLeads(cluster, hidden + 2);
  setFilter(cluster, (from, to, message) => {
    // What was finalized in the hidden view is known to the silent leader of the next one, and to nobody else.
    if (speaksOf(message, hidden, VOTE_KIND.finalize)) return message.kind === "vote" && to === silent;
    if (to === blind && (speaksOf(message, hidden, VOTE_KIND.notarize) || isProposalOf(message, hidden))) return false;
    return from !== silent || !(speaksOf(message, hidden + 1, VOTE_KIND.notarize) || isProposalOf(message, hidden + 1));
  });
  cluster.start();
  keepBusy(cluster, 6_000, 100);
  runFor(cluster, 6_000);
  setFilter(cluster, () => true);
  return concludeLive(cluster);
}

function boxThatLeads(cluster: Cluster, view: number): number {
  const set = cluster.rules.setOf(0);
  const { publicKey } = present(set.validators[leaderBySlots(set, 0, view)], "a leader is in the set");
  return cluster.nodes.findIndex((node) => bytesEqual(node.key.publicKey, publicKey));
}

/** Whether a message carries a vote or certificate of a kind for a view of the first epoch. */
function speaksOf(message: Message, view: number, kind: VoteKind): boolean {
  const isOne = (each: Pick<Certificate, "kind" | "epoch" | "view">): boolean =>
    each.epoch === 0 && each.view === view && each.kind === kind;
  if (message.kind === "vote") return isOne(message.vote);
  if (message.kind === "certificates") return message.certificates.some(isOne);
  if (message.kind === "finalBlocks") return isOne(message.finalization);
  return message.kind === "proposal" && message.block.parentCertificate !== undefined && isOne(message.block.parentCertificate);
}

function isProposalOf(message: Message, view: number): boolean {
  return message.kind === "proposal" && message.proposal.view === view;
}
