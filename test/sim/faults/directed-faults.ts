import { compareRounds, type Message, type Round } from "../../../src/consensus/index.ts";
import { VOTE_KIND, type VoteKind } from "../../../src/protocol/index.ts";
import type { SimNode } from "../sim-node.ts";
import type { Mischief } from "./mischief.ts";

/**
 * Aims at what R14's gate is for: for a while most votes of one kind reach one box only and its certificates reach nobody,
 * so that it alone holds certificates, goes ahead and votes there. Then it loses its journal.
 */
export function wipeTheLoneHolder(m: Mischief): void {
  aim(m, (victim) => {
    if (m.mayLoseJournal(victim)) m.wipe(victim);
  });
}

/** As above, but the box only loses power: what it alone held must be in its journal. */
export function crashTheLoneHolder(m: Mischief): void {
  aim(m, (victim) => m.crash(victim, true));
}

/** The box that alone opened the next epoch, and voted in it, loses its journal. */
export function wipeAtBoundary(m: Mischief): void {
  aim(
    m,
    (victim) => {
      if (m.mayLoseJournal(victim)) m.wipe(victim);
    },
    VOTE_KIND.finalize,
    (victim, others) => victim.epoch > others.epoch,
  );
}

/** Every box stops before its first send in a new epoch. */
export function crashAtBoundary(m: Mischief): void {
  const seen = new Map<SimNode, number>();
  m.every(15, () => {
    for (const node of m.cluster.nodes) {
      const epoch = node.status()?.epoch ?? 0;
      if (epoch > (seen.get(node) ?? 0) && m.prng.chance(0.4)) m.crash(node, m.prng.chance(0.5));
      seen.set(node, Math.max(epoch, seen.get(node) ?? 0));
    }
  });
}

function aim(
  m: Mischief,
  strike: (victim: SimNode) => void,
  kindWanted?: VoteKind,
  isAhead: (victim: Round, others: Round) => boolean = (victim, others) => compareRounds(victim, others) > 0,
): void {
  let victim = m.box();
  let kind: VoteKind = VOTE_KIND.notarize;
  let isAiming = false;
  const { cluster } = m;
  cluster.isLinkUp = (from, to, message) => !isAiming || passes(from, to, message);
  const passes = (from: number, to: number, message: Message): boolean => {
    const target = cluster.nodes.indexOf(victim);
    if (message.kind === "vote" && message.vote.kind === kind) return to === target || m.prng.chance(0.05);
    if (from !== target) return true;
    return message.kind === "vote" || message.kind === "hello" || message.kind === "helloAnswer" || m.prng.chance(0.05);
  };
  m.every(2_300, () => {
    victim = m.box();
    kind = kindWanted ?? m.pick([VOTE_KIND.notarize, VOTE_KIND.nullify, VOTE_KIND.finalize]);
    isAiming = true;
    m.later(2_200, () => {
      isAiming = false;
    });
  });
  m.every(25, () => {
    if (!isAiming || !victim.isUp) return;
    const at = roundOf(victim);
    const others = cluster.nodes.filter((node) => node !== victim && node.isUp).map(roundOf);
    const hasVoted = victim.votesSent.has(`1:${at.epoch}:${at.view}`) || victim.votesSent.has(`2:${at.epoch}:${at.view}`);
    if (!hasVoted || others.length === 0 || !others.every((other) => isAhead(at, other)) || m.prng.chance(0.1)) return;
    m.counts.directedHits++;
    isAiming = false;
    strike(victim);
  });
}

function roundOf(node: SimNode): Round {
  const status = node.status();
  return { epoch: status?.epoch ?? 0, view: status?.view ?? 0 };
}
