import { present } from "../../../src/kernel/index.ts";
import { VOTE_KIND, voteSignBytes } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import type { SimNode } from "../sim-node.ts";
import { bendWork, highestVotedView, honest, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

const FOUR = [1n, 1n, 1n, 1n];

/** A traitor makes a block nobody has work for and its FINALIZE votes are lost: it must become final long before the heartbeat. */
export function strayBlock(seed: number): TrialOutcome {
  const cluster = quietCluster(seed);
  const traitor = present(cluster.nodes[cluster.prng.below(4)], "an index of the network");
  traitor.tamper = (_to, message) => [message];
  const isWilling = (): boolean => honest(cluster).every((node) => node.chain.committed.length === base) && !hasVotedFinal(cluster);
  const base = traitor.chain.committed.length;
  bendWork(traitor, (usual) => usual() || isWilling());
  setFilter(cluster, (_from, _to, message) => message.kind !== "vote" || message.vote.kind !== VOTE_KIND.finalize);
  traitor.loop?.onWork();
  runFor(cluster, 20_000, () => hasVotedFinal(cluster));
  if (!hasVotedFinal(cluster)) return { findings: cluster.oracle.findings };
  traitor.loop?.onWork();
  runFor(cluster, 300);
  setFilter(cluster, () => true);
  runFor(cluster, 20_000, () => honest(cluster).every((node) => node.chain.committed.length > base));
  const isStuck = honest(cluster).some((node) => node.chain.committed.length === base);
  return { findings: [...cluster.oracle.findings, ...(isStuck ? ["L: a notarized block stays without finalization"] : [])] };
}

/** On an idle network a traitor votes alone, once a second: nobody else may vote for it. */
export function loneVote(seed: number): TrialOutcome {
  const cluster = quietCluster(seed);
  const traitor = present(cluster.nodes[cluster.prng.below(4)], "an index of the network");
  traitor.tamper = (_to, message) => [message];
  const viewsBefore = honest(cluster).map((node) => node.status()?.view);
  for (let i = 0; i < 5; i++) {
    cluster.schedule.after(i * 1_000, () => {
      const status = present(traitor.status(), "the traitor is up");
      // A leader's own NULLIFY gives its view up (R5), so it is no lone vote.
      const kind = status.leader !== status.self && cluster.prng.chance(0.5) ? VOTE_KIND.nullify : VOTE_KIND.notarize;
      const base = { kind, epoch: status.epoch, view: status.view };
      const statement = kind === VOTE_KIND.nullify ? base : { ...base, proposalId: cluster.prng.bytes(32) };
      const signature = traitor.key.sign(voteSignBytes(cluster.rules.chainId, statement));
      if (signature instanceof Promise || status.self === undefined) return;
      const vote = { ...statement, signer: status.self, signature };
      for (const node of honest(cluster)) node.loop?.onMessage(traitor.id, { kind: "vote", vote });
    });
  }
  const before = votesSent(cluster);
  runFor(cluster, 8_000);
  return idleVerdict(cluster, before, viewsBefore);
}

/** Work that a box gave a view up for vanishes (it can no longer execute): the box falls silent. */
export function vanishingWork(seed: number): TrialOutcome {
  const cluster = quietCluster(seed);
  // Not the leader: its own proposal would be a reason of its own.
  const leads = (each: SimNode): boolean => each.status()?.leader === each.status()?.self;
  const others = cluster.nodes.filter((each) => !leads(each));
  const node = present(others[cluster.prng.below(others.length)], "a view has one leader");
  let isWorking = true;
  bendWork(node, (usual) => usual() || isWorking);
  setFilter(cluster, (from, to) => from === to);
  node.loop?.onWork();
  runFor(cluster, 3_000, () => highestVotedView(node) === node.status()?.view);
  isWorking = false;
  node.loop?.onWork();
  runFor(cluster, 5_000);
  let sent = 0;
  setFilter(cluster, (from, _to, message) => {
    if (from === cluster.nodes.indexOf(node) && message.kind === "vote") sent++;
    return false;
  });
  runFor(cluster, 20_000);
  return { findings: [...cluster.oracle.findings, ...(sent > 0 ? [`L: an idle box sends ${sent} votes`] : [])] };
}

/** A network that made a few blocks and has nothing left to do. */
function quietCluster(seed: number): Cluster {
  const cluster = makeCluster({ seed, weights: FOUR, delayMs: [0.2, 1 + (seed % 4) * 5] });
  cluster.start();
  for (let i = 0; i < 2 + (seed % 3); i++) cluster.schedule.after(100 + 150 * i, () => cluster.spread(cluster.submit(), 50));
  runFor(cluster, 4_000);
  return cluster;
}

function hasVotedFinal(cluster: Cluster): boolean {
  const nodes = honest(cluster);
  return nodes.every((node) => {
    const status = node.status();
    return status !== undefined && node.votesSent.has(`3:${status.epoch}:${status.view - 1}`) && status.floor.view < status.view - 1;
  });
}

function votesSent(cluster: Cluster): number {
  return honest(cluster).reduce((sum, node: SimNode) => sum + node.votesSent.size, 0);
}

function idleVerdict(cluster: Cluster, before: number, viewsBefore: readonly (number | undefined)[]): TrialOutcome {
  const findings = [...cluster.oracle.findings];
  if (votesSent(cluster) > before) findings.push(`L: an idle network casts ${votesSent(cluster) - before} votes`);
  if (honest(cluster).some((node, i) => node.status()?.view !== viewsBefore[i])) findings.push("L: an idle network changes views");
  return { findings };
}
