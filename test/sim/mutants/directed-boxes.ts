import type { Message } from "../../../src/consensus/index.ts";
import { present } from "../../../src/kernel/index.ts";
import { blockHashOf, proposalIdOf, VOTE_KIND, type Vote, voteSignBytes } from "../../../src/protocol/index.ts";
import type { Cluster } from "../cluster.ts";
import type { SimNode } from "../sim-node.ts";
import { concludeLive, honest, keepBusy, makeCluster, runFor, setFilter, type TrialOutcome } from "./arena.ts";

const FOUR = [1n, 1n, 1n, 1n];

/** A traitor dates its blocks an hour ahead: none of them may become final before its time. */
export function fastClock(seed: number): TrialOutcome {
  const cluster = makeCluster({ seed, weights: FOUR, delayMs: [0.2, 1 + (seed % 4) * 5] });
  const traitor = present(cluster.nodes[cluster.prng.below(4)], "an index of the network");
  const redated = new Map<string, Extract<Message, { kind: "proposal" }>>();
  traitor.tamper = (_to, message) => {
    if (message.kind === "proposal" && message.block.header.leader === traitor.status()?.self) {
      const key = `${message.proposal.epoch}:${message.proposal.view}`;
      const made = redated.get(key) ?? redate(message);
      redated.set(key, made);
      return [made];
    }
    if (message.kind !== "vote" || message.vote.kind !== VOTE_KIND.notarize) return [message];
    const made = redated.get(`${message.vote.epoch}:${message.vote.view}`);
    return [made ? { kind: "vote", vote: signed(cluster, traitor, message.vote, proposalIdOf(made.proposal)) } : message];
  };
  cluster.start();
  keepBusy(cluster, 8_000);
  runFor(cluster, 8_000);
  const limitMs = cluster.rules.genesisTimeMs + cluster.schedule.nowMs + 60_000;
  const isAhead = honest(cluster).some((node) => node.chain.committed.some(({ block }) => block.header.timeMs > limitMs));
  return { findings: [...cluster.oracle.findings, ...(isAhead ? ["R16: a block from the future is final"] : [])] };
}

function redate(message: Extract<Message, { kind: "proposal" }>): Extract<Message, { kind: "proposal" }> {
  const { leaderVote: _leaderVote, ...payload } = message;
  const block = { ...message.block, header: { ...message.block.header, timeMs: message.block.header.timeMs + 3_600_000 } };
  return { ...payload, block, proposal: { ...message.proposal, blockHash: blockHashOf(block.header) } };
}

function signed(cluster: Cluster, node: SimNode, place: Vote, proposalId: Uint8Array): Vote {
  const statement = { kind: place.kind, epoch: place.epoch, view: place.view, proposalId };
  const signature = node.key.sign(voteSignBytes(cluster.rules.chainId, statement));
  if (signature instanceof Promise) throw new Error("stand-in keys sign at once");
  return { ...statement, signer: place.signer, signature };
}

/** A traitor contradicts its votes: its double votes reach honest boxes and must convict it. */
export function doubleVoters(seed: number): TrialOutcome {
  const cluster = makeCluster({ seed, weights: FOUR, delayMs: [0.2, 1 + (seed % 4) * 5] });
  const traitor = present(cluster.nodes[cluster.prng.below(4)], "an index of the network");
  traitor.tamper = (_to, message) => {
    if (message.kind !== "vote" || message.vote.kind !== VOTE_KIND.finalize) return [message];
    const { epoch, view, signer } = message.vote;
    const statement = { kind: VOTE_KIND.nullify, epoch, view };
    const signature = traitor.key.sign(voteSignBytes(cluster.rules.chainId, statement));
    return signature instanceof Promise ? [message] : [message, { kind: "vote", vote: { ...statement, signer, signature } }];
  };
  cluster.start();
  keepBusy(cluster, 3_000);
  runFor(cluster, 3_000);
  const { findings, convictedCount } = cluster.oracle;
  return { findings: [...findings, ...(convictedCount === 0 ? ["R11: a double voter is not convicted"] : [])] };
}

/** All boxes lose power together, again and again, at any effect, with one of them down for good. */
export function lostVotes(seed: number): TrialOutcome {
  const weights = present([[1n], FOUR][seed % 2], "some weights");
  const cluster = makeCluster({ seed, weights, delayMs: [0.2, 1 + (seed % 4) * 5] });
  cluster.start();
  keepBusy(cluster, 6_000, 200);
  const nodes = weights.length === 1 ? cluster.nodes : cluster.nodes.slice(1);
  for (const node of cluster.nodes) if (!nodes.includes(node)) cluster.crashNode(node, true, Number.POSITIVE_INFINITY);
  for (let round = 0; round < 6; round++) {
    runFor(cluster, 200 + cluster.prng.below(900));
    // The votes of the last moments reach nobody.
    setFilter(cluster, (_from, _to, message) => message.kind !== "vote");
    runFor(cluster, 500 + cluster.prng.below(1_500));
    for (const node of nodes) if (node.isUp) cluster.crashNode(node, true, 20);
    runFor(cluster, 25);
    setFilter(cluster, () => true);
  }
  const goal = Math.max(...nodes.map((node) => node.chain.committed.length)) + 3;
  keepBusy(cluster, 40_000);
  const hasGrown = (): boolean => nodes.every((node) => node.chain.committed.length >= goal);
  runFor(cluster, 40_000, hasGrown);
  return { findings: [...cluster.oracle.findings, ...(hasGrown() ? [] : ["L: the chain stands still after power cuts"])] };
}

/** One box on journal segments of a few blocks (see `plan-patches.ts`) is cut off at any effect, again and again. */
export function smallSegments(seed: number): TrialOutcome {
  const cluster = makeCluster({ seed, weights: seed % 2 === 0 ? [1n] : FOUR, delayMs: [0.2, 2] });
  cluster.restartDelayMs = [5, 20];
  cluster.start();
  keepBusy(cluster, 8_000, 100);
  for (let at = 500; at < 8_000; at += 250) {
    cluster.schedule.after(at, () => {
      for (const node of cluster.nodes) if (node.isUp) node.crashAfterEffects = cluster.prng.below(30);
    });
  }
  runFor(cluster, 8_000);
  for (const node of cluster.nodes) node.crashAfterEffects = -1;
  runFor(cluster, 500);
  return concludeLive(cluster, 40_000);
}

/** A traitor answers every hello with all votes it ever saw of the asker, whatever the asker's floor; then all others restart. */
export function replayedVotes(seed: number): TrialOutcome {
  const cluster = makeCluster({ seed, weights: FOUR, delayMs: [0.2, 1 + (seed % 4) * 5] });
  const traitor = present(cluster.nodes[cluster.prng.below(4)], "an index of the network");
  const seen = new Map<string, Vote[]>();
  traitor.tamper = (to, message) =>
    message.kind === "helloAnswer" ? [{ ...message, votesOfYours: (seen.get(to) ?? []).slice(0, 32) }] : [message];
  setFilter(cluster, (from, to, message) => {
    const sender = cluster.nodes[from];
    if (message.kind === "vote" && sender && cluster.nodes[to] === traitor) {
      const votes = seen.get(sender.id) ?? [];
      seen.set(sender.id, [...votes, message.vote]);
    }
    return true;
  });
  cluster.start();
  keepBusy(cluster, 2_000);
  runFor(cluster, 3_000);
  for (const node of honest(cluster)) cluster.crashNode(node, cluster.prng.chance(0.5), 10 + cluster.prng.below(50));
  runFor(cluster, 100);
  return concludeLive(cluster, 40_000);
}

/** One box of four is silent from the start: once it is skipped, blocks come no slower than twice as without it. */
export function silentBoxes(seed: number): TrialOutcome {
  const slow = medianIntervalMs(seed, true);
  const usual = medianIntervalMs(seed, false);
  const findings = [...slow.findings, ...usual.findings];
  if (findings.length === 0 && slow.meanMs > 2 * usual.meanMs)
    findings.push(`L: blocks come every ${Math.round(slow.meanMs)} ms with a silent box, every ${Math.round(usual.meanMs)} ms without`);
  return { findings };
}

function medianIntervalMs(seed: number, hasSilent: boolean): { readonly meanMs: number; readonly findings: readonly string[] } {
  const cluster = makeCluster({ seed, weights: FOUR, delayMs: [0.2, 1 + (seed % 4) * 5] });
  cluster.start();
  keepBusy(cluster, 40_000, 50);
  const silent = hasSilent ? cluster.prng.below(4) : -1;
  setFilter(cluster, (from, to) => from !== silent && to !== silent);
  runFor(cluster, 24_000);
  const node = present(
    cluster.nodes.find((_, i) => i !== silent),
    "some box is not silent",
  );
  const before = node.chain.committed.length;
  runFor(cluster, 10_000);
  return { meanMs: 10_000 / Math.max(1, node.chain.committed.length - before), findings: cluster.oracle.findings };
}
