import { present } from "../../../src/kernel/index.ts";
import { VOTE_KIND } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import type { SimNode } from "../sim-node.ts";
import { concludeLive, highestVotedView, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

const WEIGHTS: readonly (readonly bigint[])[] = [
  [1n, 1n, 1n, 1n],
  [1n, 1n, 1n, 1n, 1n],
  [1n, 2n, 3n, 3n, 2n, 2n],
  [1n, 1n, 1n, 1n, 1n, 1n, 1n],
];

/**
 * One box alone sees the certificate of a view, leads the next one, proposes and votes there; then its journal is wiped
 * and everything heals. The gate of R14 must keep it from proposing in that view again.
 */
export function wipedLeader(seed: number): TrialOutcome {
  const { cluster, lost } = loseTheOnlyWitness(seed);
  recoverApart(cluster, lost);
  return concludeLive(cluster, 30_000);
}

/** As `wipedLeader`, and the box is killed again, at any effect, while it recovers. */
export function wipedTwice(seed: number): TrialOutcome {
  const { cluster, lost } = loseTheOnlyWitness(seed);
  lost.crashAfterEffects = 1 + cluster.prng.below(24);
  return concludeLive(cluster, 30_000);
}

function loseTheOnlyWitness(seed: number): { readonly cluster: Cluster; readonly lost: SimNode } {
  const weights = present(WEIGHTS[seed % WEIGHTS.length], "some weights");
  const cluster = makeCluster({ seed, weights, delayMs: [0.2, 1 + (seed % 5) * 8] });
  cluster.restartDelayMs = [1, 20];
  const witness = cluster.prng.below(weights.length);
  const lost = present(cluster.nodes[witness], "an index of the network");
  cluster.start();
  keepBusy(cluster, 4_000);
  const target = 3 + cluster.prng.below(6);
  /** The last view before one that the witness leads; only the witness sees it certified. */
  let aimedAt = Number.POSITIVE_INFINITY;
  setFilter(cluster, (from, to, message) => {
    if (from === witness && aimedAt < Number.POSITIVE_INFINITY) return false;
    if (to === witness) return true;
    const isVote = message.kind === "vote" && message.vote.kind !== VOTE_KIND.finalize && message.vote.view >= aimedAt;
    const isProof = message.kind === "certificates" && message.certificates.some((certificate) => certificate.view >= aimedAt);
    return !isVote && !isProof;
  });
  const isAimed = (): boolean => {
    const status = lost.status();
    if (aimedAt === Number.POSITIVE_INFINITY && status && status.view >= target && isBeforeOwnTurn(cluster, status.view, witness))
      aimedAt = status.view;
    return highestVotedView(lost) > aimedAt;
  };
  runFor(cluster, 6_000, isAimed);
  cluster.crashNode(lost, true, Number.POSITIVE_INFINITY);
  lost.wipeJournal();
  runFor(cluster, 60); // what is under way is lost too
  setFilter(cluster, () => true);
  cluster.startNode(lost);
  return { cluster, lost };
}

/** Until the lost box has its gate, the others learn nothing new: they show what they knew when it was lost. */
function recoverApart(cluster: Cluster, lost: SimNode): void {
  const passing = new Set(["hello", "helloAnswer", "recoveryRequest", "recoveryAnswer"]);
  setFilter(cluster, (_from, _to, message) => passing.has(message.kind));
  runFor(cluster, 5_000, () => lost.status()?.recovery.kind === "gated");
  setFilter(cluster, () => true);
}

/** Whether the witness leads the view after this one (epoch 0). */
function isBeforeOwnTurn(cluster: Cluster, view: number, witness: number): boolean {
  const lost = present(cluster.nodes[witness], "an index of the network");
  const status = lost.status();
  if (!status || status.self === undefined) return false;
  const count = cluster.rules.setOf(0).validators.length;
  return (status.leader + 1) % count === status.self && status.view === view;
}
