import { type Vote, type VoteStatement, voteSignBytes } from "../protocol/index.ts";
import { answerOldVote, notePeerAt, spend } from "./anti-entropy.ts";
import { BOUNDS } from "./bounds.ts";
import { noteAhead } from "./catch-up.ts";
import type { HelloAnswerMessage, HelloMessage, PeerId } from "./messages.ts";
import { onUnknownOwnVote } from "./recovery-gate.ts";
import { compareRounds, type Round } from "./rounds.ts";
import { type CoreState, type EpochState, emit, type PeerState } from "./state.ts";
import type { RefusalCode } from "./steps.ts";
import { idOf, isOwn } from "./votes.ts";

/** Bytes of an encoded vote, at most. */
const VOTE_BYTES = 160;

/** Whether the others of weight Q minus our own have answered this start's hello: the first vote waits for it (R15). */
export function isGreetedByQuorum(core: CoreState): boolean {
  const { set, self, signerOf } = core.epoch;
  let weight = self === undefined ? 0n : (set.validators[self]?.weight ?? 0n);
  for (const [peer, state] of core.peers) {
    const signer = signerOf.get(peer);
    if (state.hasAnsweredHello && signer !== undefined && signer !== self) weight += set.validators[signer]?.weight ?? 0n;
  }
  return weight >= set.quorumWeight;
}

/** Says hello to a peer: where we are and our last votes (R15). */
export function sendHello(core: CoreState, peer: PeerId): void {
  const { epoch, tip } = core;
  const votes = lastVotes([...epoch.views.values()].flatMap((view) => view.ownSigned));
  emit(core, {
    kind: "send",
    to: peer,
    message: { kind: "hello", token: core.helloToken, height: tip.height, epoch: epoch.epoch, floorView: epoch.floor, votes },
  });
}

/** Repeats the hello, with growing pauses, to validators that have not answered while the first vote waits for them. */
export function repeatHello(core: CoreState): void {
  if (core.isGreeted || core.nowMs < core.helloNextAtMs) return;
  const { fetchTimeoutMs } = core.config.timers;
  core.helloNextAtMs = core.nowMs + fetchTimeoutMs * Math.min(2 ** core.helloAttempts++, BOUNDS.backOffMax);
  for (const [peer, state] of core.peers) if (!state.hasAnsweredHello && core.epoch.signerOf.has(peer)) sendHello(core, peer);
}

/** Answers a hello with the sender's votes that we have seen above its floor, and brings it up to date. */
export function onHello(core: CoreState, from: PeerId, hello: HelloMessage): void {
  const { epoch, previous } = core;
  const floor: Round = { epoch: hello.epoch, view: hello.floorView };
  if (spend(core, from, 64 + VOTE_BYTES * BOUNDS.helloVotesMax)) {
    const votesOfYours = lastVotes([...votesAbove(epoch, from, floor), ...(previous ? votesAbove(previous, from, floor) : [])]);
    emit(core, { kind: "send", to: from, message: { kind: "helloAnswer", token: hello.token, votesOfYours } });
  }
  notePeerAt(core, from, { epoch: hello.epoch, view: hello.floorView + 1 });
  if (hello.epoch < epoch.epoch || (hello.epoch === epoch.epoch && hello.floorView < epoch.current - 1)) answerOldVote(core, from, floor);
  else if (hello.epoch > epoch.epoch) noteAhead(core, from, floor);
}

/**
 * Takes a peer's first answer to this start's hello: it counts for R15, and votes of ours that the journal lacks come to
 * light (J7). A vote that is not ours makes it no answer.
 */
export function onHelloAnswer(core: CoreState, state: PeerState, answer: HelloAnswerMessage): RefusalCode | undefined {
  if (answer.token !== core.helloToken || state.hasAnsweredHello) return undefined;
  const { epoch, config } = core;
  for (const vote of answer.votesOfYours) {
    if (vote.epoch < epoch.epoch || isJournaled(core, vote)) continue;
    if (!config.suite.verify(config.publicKey, voteSignBytes(config.chainId, vote), vote.signature)) return "badSignature";
    onUnknownOwnVote(core, vote);
  }
  state.hasAnsweredHello = true;
  return undefined;
}

function isJournaled(core: CoreState, vote: Vote): boolean {
  const { epoch, laterRecords } = core;
  if (vote.epoch === epoch.epoch) return isOwn(epoch.views.get(vote.view)?.own ?? {}, vote);
  return laterRecords.some(
    (record) =>
      record.kind === "vote" &&
      record.statement.epoch === vote.epoch &&
      record.statement.view === vote.view &&
      isSameVote(record.statement, vote),
  );
}

function isSameVote(a: VoteStatement, b: VoteStatement): boolean {
  return a.kind === b.kind && idOf(a) === idOf(b);
}

function votesAbove(epoch: EpochState, peer: PeerId, floor: Round): Vote[] {
  const signer = epoch.signerOf.get(peer);
  if (signer === undefined || floor.epoch > epoch.epoch) return [];
  const above = floor.epoch === epoch.epoch ? floor.view : 0;
  const votes: Vote[] = [];
  for (let v = epoch.current + BOUNDS.viewsAboveCurrent; v > above && votes.length < BOUNDS.helloVotesMax; v--) {
    const cast = epoch.views.get(v)?.votes.get(signer);
    for (const vote of [cast?.finalize, cast?.nullify, cast?.notarize]) if (vote) votes.push(vote);
  }
  return votes;
}

function lastVotes(votes: readonly Vote[]): Vote[] {
  return [...votes].sort((a, b) => compareRounds(b, a)).slice(0, BOUNDS.helloVotesMax);
}
