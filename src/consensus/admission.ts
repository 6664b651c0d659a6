import { bytesEqual, toHex } from "../kernel/index.ts";
import { type Block, blockHashOf, type Certificate, proposalIdOf, VOTE_KIND, type Vote, voteSignBytes } from "../protocol/index.ts";
import { answerFetch, answerOldVote, notePeerAt, notePeerHolds } from "./anti-entropy.ts";
import { isAttachedToParent, isBodySound } from "./block-body.ts";
import { keepBlock, keepProposal } from "./block-pool.ts";
import { BOUNDS } from "./bounds.ts";
import { noteAhead, onFinalBlocks, takeAnswer } from "./catch-up.ts";
import { acceptCertificate, formCertificate } from "./certificates.ts";
import { onHello, onHelloAnswer } from "./greeting.ts";
import type { Message, PeerId, ProposalMessage } from "./messages.ts";
import { onRecoveryAnswer, onRecoveryRequest } from "./recovery.ts";
import { type CoreState, type EpochState, note, type PeerState, type ViewState, viewOf } from "./state.ts";
import type { RefusalCode } from "./steps.ts";
import { findVote, idOf, leaderOf, recordVote } from "./votes.ts";

/**
 * R0: lets a peer's message in, cheapest check first, or refuses it with a code. Never throws, and the work and memory
 * that one message costs are bounded.
 */
export function onMessage(core: CoreState, from: PeerId, message: Message): void {
  const state = core.peers.get(from);
  const refusal = state && takeMessage(core, state, from, message);
  if (refusal) note(core, { kind: "refused", from, code: refusal });
}

function takeMessage(core: CoreState, state: PeerState, from: PeerId, message: Message): RefusalCode | undefined {
  switch (message.kind) {
    case "vote":
      return onVote(core, from, message.vote);
    case "proposal":
      return onProposal(core, from, message);
    case "certificates":
      return onCertificates(core, from, message.certificates);
    case "fetch":
      answerFetch(core, from, message.target);
      return undefined;
    case "block":
      return onBlock(core, state, message.block);
    case "finalBlocks":
      return onFinalBlocks(core, state, message.blocks, message.finalization);
    case "hello":
      onHello(core, from, message);
      return onHelloVotes(core, from, message.votes);
    case "helloAnswer":
      return onHelloAnswer(core, state, message);
    case "recoveryRequest":
      onRecoveryRequest(core, from, message.token);
      return undefined;
    case "recoveryAnswer":
      return onRecoveryAnswer(core, from, message);
  }
}

/** The first refusal ends it, so that a hello of bad votes costs one verification. */
function onHelloVotes(core: CoreState, from: PeerId, votes: readonly Vote[]): RefusalCode | undefined {
  for (const vote of votes) {
    const refusal = onVote(core, from, vote);
    if (refusal) return refusal;
  }
  return undefined;
}

/** R0: a vote from its signer's own connection, in the window, one per (signer, view, kind). */
function onVote(core: CoreState, from: PeerId, vote: Vote): RefusalCode | undefined {
  const epoch = epochOf(core, vote.epoch);
  if (!epoch) {
    if (vote.epoch > core.epoch.epoch) noteAhead(core, from, vote);
    else answerOldVote(core, from, vote);
    return undefined;
  }
  if (epoch.peerOf[vote.signer] !== from) return vote.signer < epoch.peerOf.length ? "notItsSigner" : "unknownSigner";
  if (vote.view > epoch.current + BOUNDS.viewsAboveCurrent) {
    noteAhead(core, from, vote);
    return undefined;
  }
  const isOld = epoch !== core.epoch || vote.view < core.epoch.current;
  const held = findVote(epoch.views.get(vote.view), vote);
  const isRepeat = held !== undefined && idOf(held) === idOf(vote);
  if (isRepeat || vote.view < epoch.floor - BOUNDS.viewsBelowFloor) {
    if (isOld) answerOldVote(core, from, vote);
    return undefined;
  }
  if (held && epoch.views.get(vote.view)?.votes.get(vote.signer)?.isContradicted) return "secondVote";
  if (!isSigned(core, epoch, vote)) return "badSignature";
  recordVote(core, epoch, vote);
  formCertificate(core, vote);
  notePeerAt(core, from, { epoch: vote.epoch, view: vote.kind === VOTE_KIND.finalize ? vote.view + 1 : vote.view });
  if (isOld && (epoch !== core.epoch || vote.view < core.epoch.current - 1)) answerOldVote(core, from, vote);
  return undefined;
}

/**
 * A proposal is kept when the leader signed it (its NOTARIZE is here or comes along), when it is notarized, or, one per
 * view, when it comes over the leader's own connection ahead of its vote (J4).
 */
function onProposal(core: CoreState, from: PeerId, message: ProposalMessage): RefusalCode | undefined {
  const { epoch } = core;
  const { proposal, block, leaderVote } = message;
  const isAhead =
    proposal.epoch > epoch.epoch || (proposal.epoch === epoch.epoch && proposal.view > epoch.current + BOUNDS.viewsAboveCurrent);
  if (isAhead) noteAhead(core, from, proposal);
  if (isAhead || proposal.epoch < epoch.epoch || proposal.view <= epoch.floor) return undefined;
  const view = viewOf(epoch, proposal.view);
  const id = toHex(proposalIdOf(proposal));
  // Once its leader is known to have signed two, only the first and the notarized one are of use.
  if (view.isEquivocated && view.leaderChoice !== id && !isNotarized(view, id)) return undefined;
  if (leaderVote && !onLeaderVote(core, view, id, leaderVote)) return "badProposal";
  const refusal = onCertificates(
    core,
    from,
    block.parentCertificate ? [...message.nullifications, block.parentCertificate] : message.nullifications,
  );
  if (refusal) return refusal;
  if (view.proposals.has(id) || proposal.view <= epoch.floor) return undefined;
  const isSignedHere = view.leaderChoice === id || isNotarized(view, id);
  const isFromLeader = epoch.peerOf[leaderOf(core, epoch, view.view)] === from;
  const isEarly = view.leaderChoice === undefined && view.proposals.size === 0 && isFromLeader;
  // A leader may have built anew after a crash, and who passes on what another leader signed twice is honest.
  if (!isSignedHere && !isEarly) return isFromLeader || leaderVote ? undefined : "unsolicited";
  if (!bytesEqual(blockHashOf(block.header), proposal.blockHash)) return "badProposal";
  if (!isBodySound(core, block) || !isAttachedToParent(core, proposal, block)) {
    // Only the leader can spoil its own proposal; from anyone else the sound one may still come.
    if (isSignedHere && isFromLeader) view.hasFailed = true;
    return "badBlock";
  }
  if (isSignedHere) view.proposals.clear(); // an early payload that the leader did not sign in the end
  keepProposal(core, view, id, proposal, block);
  for (const kind of [VOTE_KIND.notarize, VOTE_KIND.finalize]) {
    formCertificate(core, { kind, epoch: proposal.epoch, view: proposal.view, proposalId: proposalIdOf(proposal) });
  }
  return undefined;
}

function onLeaderVote(core: CoreState, view: ViewState, id: string, vote: Vote): boolean {
  const { epoch } = core;
  const isFitting = vote.kind === VOTE_KIND.notarize && vote.epoch === epoch.epoch && vote.view === view.view && idOf(vote) === id;
  if (!isFitting || vote.signer !== leaderOf(core, epoch, view.view)) return false;
  const held = findVote(view, vote);
  if (held && idOf(held) === id) return true;
  if (!isSigned(core, epoch, vote)) return false;
  recordVote(core, epoch, vote);
  return true;
}

function onCertificates(core: CoreState, from: PeerId, certificates: readonly Certificate[]): RefusalCode | undefined {
  for (const certificate of certificates) {
    const outcome = acceptCertificate(core, certificate);
    if (outcome === "refused") return "badCertificate";
    if (outcome === "ahead") noteAhead(core, from, { epoch: certificate.epoch, view: certificate.view + 1 });
    else notePeerHolds(core, from, certificate);
  }
  return undefined;
}

/** A block comes only when it was asked for, by hash; an answer that comes late is let go. */
function onBlock(core: CoreState, state: PeerState, block: Block): RefusalCode | undefined {
  const isAnswer = takeAnswer(state);
  const hash = blockHashOf(block.header);
  const key = toHex(hash);
  if (!core.fetches.has(`block:${key}`)) return isAnswer ? undefined : "unsolicited";
  if (!isBodySound(core, block)) return "badBlock";
  keepBlock(core, hash, block);
  return undefined;
}

function isNotarized(view: ViewState, id: string): boolean {
  const proposal = view.notarization?.proposal;
  return proposal !== undefined && toHex(proposalIdOf(proposal)) === id;
}

function isSigned(core: CoreState, epoch: EpochState, vote: Vote): boolean {
  const key = epoch.set.validators[vote.signer]?.publicKey;
  return key !== undefined && core.config.suite.verify(key, voteSignBytes(core.config.chainId, vote), vote.signature);
}

function epochOf(core: CoreState, epoch: number): EpochState | undefined {
  if (epoch === core.epoch.epoch) return core.epoch;
  return core.previous?.epoch === epoch ? core.previous : undefined;
}
