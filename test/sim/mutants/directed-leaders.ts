import type { Message } from "../../../src/consensus/index.ts";
import { present } from "../../../src/kernel/index.ts";
import { type Proposal, proposalIdOf, VOTE_KIND, type Vote, voteSignBytes } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import type { SimNode } from "../sim-node.ts";
import { concludeLive, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

type ProposalMessage = Extract<Message, { kind: "proposal" }>;

/**
 * A leader shows a box one proposal; once the box notarized it and lost power, it is shown another of the same view. What
 * the journal remembers must keep it from notarizing that one too.
 */
export function turncoatLeader(seed: number): TrialOutcome {
  const cluster = makeCluster({ seed, weights: [1n, 1n, 1n, 1n], delayMs: [0.2, 1 + (seed % 4) * 5] });
  const traitor = present(cluster.nodes[cluster.prng.below(4)], "an index of the network");
  const victim = present(cluster.nodes[(cluster.nodes.indexOf(traitor) + 1 + cluster.prng.below(3)) % 4], "an index of the network");
  let shown: ProposalMessage | undefined;
  traitor.tamper = (_to, message) => {
    if (message.kind === "proposal" && message.block.header.leader === traitor.status()?.self) shown = message;
    return [message];
  };
  cluster.start();
  keepBusy(cluster, 12_000);
  // No view of the traitor's is certified before its victim has seen both proposals.
  setFilter(
    cluster,
    (_from, to, message) => to === cluster.nodes.indexOf(victim) || message.kind !== "vote" || message.vote.view !== shown?.proposal.view,
  );
  const hasNotarized = (): boolean => shown !== undefined && victim.votesSent.has(`1:${shown.proposal.epoch}:${shown.proposal.view}`);
  if (!runFor(cluster, 8_000, hasNotarized) || !shown) return { findings: cluster.oracle.findings };
  const rival = rivalOf(cluster, traitor, shown);
  cluster.crashNode(victim, true, 20);
  setFilter(cluster, (_from, _to, message) => message.kind === "hello" || message.kind === "helloAnswer");
  runFor(cluster, 21);
  if (rival) victim.loop?.onMessage(traitor.id, rival);
  victim.isTouched = true;
  runFor(cluster, 150);
  setFilter(cluster, () => true);
  return concludeLive(cluster, 30_000);
}

/** Another block of the same view, signed by its leader. */
function rivalOf(cluster: Cluster, traitor: SimNode, { leaderVote: _leaderVote, ...shown }: ProposalMessage): ProposalMessage | undefined {
  const { header, parentCertificate, evidence } = shown.block;
  const { epoch, view, leader, parentHash, timeMs } = header;
  const validatorSet = cluster.rules.setOf(epoch);
  const request = { epoch, view, leader, parentHash, timeMs: timeMs + 1, isEmpty: true, validatorSet, evidence };
  const built = traitor.chain.build(parentCertificate ? { ...request, parentCertificate } : request);
  const proposal: Proposal = { ...shown.proposal, blockHash: built.hash };
  const statement = { kind: VOTE_KIND.notarize, epoch, view, proposalId: proposalIdOf(proposal) };
  const signature = traitor.key.sign(voteSignBytes(cluster.rules.chainId, statement));
  if (signature instanceof Promise) return undefined;
  const leaderVote: Vote = { ...statement, signer: leader, signature };
  return { ...shown, proposal, block: built.block, leaderVote };
}
