import { toHex } from "../kernel/index.ts";
import { type Block, type Certificate, VOTE_KIND } from "../protocol/index.ts";
import { workReason } from "./arming.ts";
import { BOUNDS } from "./bounds.ts";
import { batchesToFetch } from "./catch-up.ts";
import { drawOne } from "./draws.ts";
import type { FetchTarget, PeerId } from "./messages.ts";
import { proposalMessage } from "./proposing.ts";
import { compareRounds, laterRound, type Round } from "./rounds.ts";
import { type AnswerBudget, type CoreState, emit, type Fetch, note, type PeerState, type Want } from "./state.ts";

/** What a block out of the store is charged at least: its size is known when it is read. */
const STORED_BLOCK_BYTES = 8 * 1024;

/** Notes that a peer has entered at least this round. */
export function notePeerAt(core: CoreState, peer: PeerId, round: Round): void {
  const state = core.peers.get(peer);
  if (state) state.at = laterRound(state.at, round);
}

/** Notes what a certificate from a peer says of where the peer is. */
export function notePeerHolds(core: CoreState, peer: PeerId, certificate: Certificate): void {
  notePeerAt(core, peer, { epoch: certificate.epoch, view: certificate.view + 1 });
  const state = core.peers.get(peer);
  if (state && certificate.kind === VOTE_KIND.finalize) state.finalized = laterRound(state.finalized, certificate);
}

/** R9a: forwards certificates that are due to connected members not known to be past them. */
export function forwardDue(core: CoreState): void {
  const due = core.forwards.filter((forward) => forward.dueAtMs <= core.nowMs && !isSuperseded(core, forward.certificate));
  core.forwards = core.forwards.filter((forward) => forward.dueAtMs > core.nowMs);
  if (due.length === 0) return;
  for (const [peer, state] of core.peers) {
    if (!core.epoch.signerOf.has(peer)) continue;
    const certificates = due.map((forward) => forward.certificate).filter((certificate) => !isPast(state, certificate));
    sendCertificates(core, peer, certificates);
    for (const certificate of certificates) notePeerSent(state, certificate);
  }
}

/**
 * R9a for those who only follow: they need to know what is final, not how it came about, and hear of it when the block is
 * here, so that who asks for it gets it; under load the latest stands for all before it.
 */
export function tellFollowers(core: CoreState): void {
  const { finalization } = core.tip;
  if (finalization === undefined || (followersDueAtMs(core) ?? core.nowMs + 1) > core.nowMs) return;
  core.followersAtMs = core.nowMs + core.config.timers.forwardDelayMs;
  for (const [peer, state] of core.peers) {
    if (!isBehindTip(core, peer, state)) continue;
    sendCertificates(core, peer, [finalization]);
    notePeerSent(state, finalization);
  }
}

/** When followers are told next; undefined while all of them know what is final here. */
export function followersDueAtMs(core: CoreState): number | undefined {
  for (const [peer, state] of core.peers) if (isBehindTip(core, peer, state)) return core.followersAtMs;
  return undefined;
}

function isBehindTip(core: CoreState, peer: PeerId, state: PeerState): boolean {
  const { finalization } = core.tip;
  return finalization !== undefined && !core.epoch.signerOf.has(peer) && compareRounds(state.finalized, finalization) < 0;
}

/** R9b: answers a vote for an old view with our certificate for it and our best, within the peer's budget. */
export function answerOldVote(core: CoreState, peer: PeerId, round: Round): void {
  const { epoch } = core;
  const state = core.peers.get(peer);
  if (!state || core.nowMs < state.answeredAtMs + core.config.timers.forwardDelayMs) return;
  state.answeredAtMs = core.nowMs;
  const answer = new Set<Certificate | undefined>();
  if (round.epoch < epoch.epoch) answer.add(epoch.opening);
  else {
    const view = epoch.views.get(round.view);
    answer.add(view?.finalization ?? view?.notarization).add(view?.nullification);
    answer.add(epoch.views.get(epoch.floor)?.finalization);
  }
  answer.add(epoch.best);
  sendCertificates(
    core,
    peer,
    [...answer].filter((certificate) => certificate !== undefined),
  );
}

/**
 * R9c: no finalization for the standstill time while there is work: everyone gets the highest finalization, a page of
 * the certificates above it, and our own votes above it.
 */
export function breakStandstill(core: CoreState): void {
  if (workReason(core) === undefined || core.epoch.set.validators.length === 1) {
    core.standstillAtMs = undefined;
    return;
  }
  core.standstillAtMs ??= core.nowMs + core.config.timers.standstillMs;
  if (core.nowMs < core.standstillAtMs) return;
  core.standstillAtMs = core.nowMs + core.config.timers.standstillMs;
  const { epoch } = core;
  const above = [...epoch.views.values()].filter((view) => view.view > epoch.floor).sort((a, b) => a.view - b.view);
  const held = above.flatMap((view) => [view.notarization, view.nullification]).filter((certificate) => certificate !== undefined);
  if (core.standstillCursor >= held.length) core.standstillCursor = 0;
  const page = held.slice(core.standstillCursor, core.standstillCursor + BOUNDS.messageCertificatesMax - 3);
  core.standstillCursor += page.length;
  const first = [epoch.opening, epoch.views.get(epoch.floor)?.finalization, epoch.best].filter((certificate) => certificate !== undefined);
  for (const peer of core.peers.keys()) if (epoch.signerOf.has(peer)) sendCertificates(core, peer, [...new Set([...first, ...page])]);
  // Where our older votes are wanted, the certificates above have taken their place.
  const votes = above.flatMap((view) => view.ownSigned).slice(-BOUNDS.standstillVotesMax);
  for (const vote of votes) emit(core, { kind: "broadcast", message: { kind: "vote", vote } });
}

/** R9d: turns what this step found missing into fetches, and asks for those that are due. */
export function runFetches(core: CoreState): void {
  for (const key of core.fetches.keys()) if (!core.wants.has(key)) core.fetches.delete(key);
  for (const [key, wanted] of core.wants) {
    if (core.fetches.has(key) || core.fetches.size >= BOUNDS.fetchesMax) continue;
    // What is missing is mostly under way already, so the first question waits a little; final blocks never come unasked.
    const waitMs = wanted.target.kind === "finalBlocks" ? 0 : core.config.timers.fetchTimeoutMs / 10;
    core.fetches.set(key, { ...wanted, attempts: 0, nextAtMs: core.nowMs + waitMs });
  }
  for (const fetch of core.fetches.values()) if (core.nowMs >= fetch.nextAtMs) ask(core, fetch);
}

/** R9d, the other side: sends a peer what it asks for, from what we hold, within its budget. */
export function answerFetch(core: CoreState, peer: PeerId, target: FetchTarget): void {
  switch (target.kind) {
    case "certificates":
      sendCertificates(core, peer, certificatesBetween(core, target.epoch, target.fromView, target.toView));
      return;
    case "proposal": {
      const view = target.epoch === core.epoch.epoch ? core.epoch.views.get(target.view) : undefined;
      const entry = view?.proposals.get(toHex(target.proposalId));
      const message = view && entry && proposalMessage(core, view, entry);
      if (message && spend(core, peer, bytesOfBlock(message.block) + bytesOf(...message.nullifications)))
        emit(core, { kind: "send", to: peer, message });
      return;
    }
    case "block": {
      const block = core.blocks.get(toHex(target.hash))?.block;
      if (!spend(core, peer, block ? bytesOfBlock(block) : Math.max(STORED_BLOCK_BYTES, core.blockBytes))) return;
      emit(
        core,
        block ? { kind: "send", to: peer, message: { kind: "block", block } } : { kind: "serveBlock", to: peer, hash: target.hash },
      );
      return;
    }
    case "finalBlocks": {
      const count = core.tip.height - target.fromHeight + 1;
      // Those near the tip are about as large as the last ones; a run from further back is charged in full.
      if (count < 1 || !spend(core, peer, Math.min(count * core.blockBytes, BOUNDS.finalBlocksBytesMax))) return;
      emit(core, { kind: "serveFinalBlocks", to: peer, fromHeight: target.fromHeight });
    }
  }
}

/** Sends certificates, as many as one message holds and the peer's budget pays. */
function sendCertificates(core: CoreState, peer: PeerId, certificates: readonly Certificate[]): void {
  const page: Certificate[] = [];
  for (const certificate of certificates.slice(0, BOUNDS.messageCertificatesMax)) {
    if (!spend(core, peer, bytesOf(certificate))) break;
    page.push(certificate);
  }
  if (page.length > 0) emit(core, { kind: "send", to: peer, message: { kind: "certificates", certificates: page } });
}

/** Takes bytes from a peer's answer budget; false when it is spent. Those outside the set share one more, however many they are. */
export function spend(core: CoreState, peer: PeerId, bytes: number): boolean {
  const state = core.peers.get(peer);
  if (!state) return false;
  const perSecond = core.config.timers.answerBytesPerSecond;
  refill(core, state, perSecond);
  if (state.budgetBytes < bytes) return false;
  if (!core.epoch.signerOf.has(peer)) {
    refill(core, core.outside, BOUNDS.outsideShare * perSecond);
    if (core.outside.budgetBytes < bytes) return false;
    core.outside.budgetBytes -= bytes;
  }
  state.budgetBytes -= bytes;
  return true;
}

function refill(core: CoreState, budget: AnswerBudget, perSecond: number): void {
  const refilled = budget.budgetBytes + ((core.nowMs - budget.budgetAtMs) * perSecond) / 1000;
  budget.budgetBytes = Math.min(refilled, perSecond * BOUNDS.answerBudgetSeconds);
  budget.budgetAtMs = core.nowMs;
}

/** Bytes of certificates when encoded, at most. */
export function bytesOf(...certificates: readonly (Certificate | undefined)[]): number {
  let bytes = 0;
  for (const certificate of certificates) if (certificate) bytes += 128 + 66 * certificate.signatures.length;
  return bytes;
}

/** Bytes of a block when encoded, at most. */
export function bytesOfBlock({ batchDigests, evidence, parentCertificate }: Block): number {
  const evidenceBytes = evidence.reduce((sum, encoded) => sum + encoded.length, 0);
  return 1024 + 34 * batchDigests.length + evidenceBytes + bytesOf(parentCertificate);
}

function certificatesBetween(core: CoreState, epochNumber: number, fromView: number, toView: number): Certificate[] {
  const { epoch } = core;
  if (epochNumber < epoch.epoch) return epoch.opening ? [epoch.opening] : [];
  const found: Certificate[] = [];
  const first = Math.max(fromView, epoch.floor);
  const last = Math.min(toView, epoch.best?.view ?? 0);
  for (let v = last; v >= first && found.length < BOUNDS.messageCertificatesMax; v--) {
    const view = epoch.views.get(v);
    for (const certificate of [view?.nullification, view?.notarization, view?.finalization]) if (certificate) found.push(certificate);
  }
  return found;
}

/** A later finalization says more than anything at or below it. */
function isSuperseded(core: CoreState, certificate: Certificate): boolean {
  return compareRounds(certificate, { epoch: core.epoch.epoch, view: core.epoch.floor }) < 0 && certificate !== core.epoch.opening;
}

function isPast(peer: PeerState, certificate: Certificate): boolean {
  const isBeyond = compareRounds(peer.at, { epoch: certificate.epoch, view: certificate.view + 1 }) >= 0;
  if (certificate.kind !== VOTE_KIND.finalize) return isBeyond;
  return (
    compareRounds(peer.finalized, certificate) >= 0 || compareRounds(peer.at, { epoch: certificate.epoch, view: certificate.view + 2 }) >= 0
  );
}

/** What was sent may be lost, so only finalizations are noted: they alone are not implied by the peer's later votes. */
function notePeerSent(peer: PeerState, certificate: Certificate): void {
  if (certificate.kind === VOTE_KIND.finalize) peer.finalized = laterRound(peer.finalized, certificate);
}

/**
 * The first two of three questions go to members of the set, however many others are connected, who may be one liar's. Those
 * who say that they cannot serve what is asked are left out, unless all say so: then somebody has to be asked all the same.
 */
function drawPeer(core: CoreState, target: Want, attempts: number): PeerId | undefined {
  const able = [...core.peers.keys()].filter((peer) => canServe(core, peer, target));
  const peers = able.length > 0 ? able : [...core.peers.keys()];
  if (attempts % 3 === 2) return drawOne(core, peers);
  const members = peers.filter((peer) => core.epoch.signerOf.has(peer));
  // Without members, who showed what is final beyond our tip has it, and others that only follow may be behind us.
  const likely = members.length > 0 ? members : peers.filter((peer) => hasShownMore(core, peer));
  return drawOne(core, likely.length > 0 ? likely : peers);
}

function hasShownMore({ tip, peers }: CoreState, peer: PeerId): boolean {
  const state = peers.get(peer);
  return state !== undefined && compareRounds(state.finalized, tip) > 0;
}

/** Whether a peer has what is asked for, by its own word on the lowest block that it keeps. */
function canServe(core: CoreState, peer: PeerId, target: Want): boolean {
  const { lowestHeight } = core.peers.get(peer) ?? {};
  return target.kind !== "finalBlocks" || lowestHeight === undefined || lowestHeight <= target.fromHeight;
}

/**
 * Notes the lowest block that a peer says it serves. Who can serve now what was asked for in vain is asked after the usual
 * time and not after a pause that grew meanwhile; never sooner, so that who says something else each time gains nothing.
 */
export function onPeerReach(core: CoreState, peer: PeerId, lowestHeight: number): void {
  const state = core.peers.get(peer);
  if (!state) return;
  const unable = [...core.fetches.values()].filter(({ target }) => !canServe(core, peer, target));
  state.lowestHeight = lowestHeight;
  for (const fetch of unable) {
    if (fetch.attempts <= 1 || !canServe(core, peer, fetch.target)) continue;
    fetch.nextAtMs += core.config.timers.fetchTimeoutMs * (1 - backOffOf(fetch.attempts - 1));
    fetch.attempts = 1;
  }
}

/** Timeouts that the pause after so many questions without success is long, the last one included. */
function backOffOf(attempts: number): number {
  return Math.min(2 ** attempts, BOUNDS.backOffMax);
}

/** Tells when nobody who is connected has the blocks that are missing, which asking on does not mend (R13). */
function noteOutOfReach(core: CoreState, target: Want): void {
  if (target.kind !== "finalBlocks" || core.peers.size === 0) return;
  if ([...core.peers.keys()].some((peer) => canServe(core, peer, target))) return;
  const heights = [...core.peers.values()].flatMap(({ lowestHeight }) => (lowestHeight === undefined ? [] : [lowestHeight]));
  note(core, { kind: "outOfReach", fromHeight: target.fromHeight, lowestHeight: Math.min(...heights) });
}

function ask(core: CoreState, fetch: Fetch): void {
  const { timers } = core.config;
  const factor = backOffOf(fetch.attempts);
  const isHintAble = fetch.hint !== undefined && core.peers.has(fetch.hint) && canServe(core, fetch.hint, fetch.target);
  const hint = fetch.attempts === 0 && isHintAble ? fetch.hint : undefined;
  noteOutOfReach(core, fetch.target);
  fetch.attempts++;
  fetch.nextAtMs = core.nowMs + timers.fetchTimeoutMs * factor;
  if (fetch.target.kind === "batches") {
    const digests = batchesToFetch(core, fetch.target.blockHash);
    if (digests.length > 0) emit(core, { kind: "fetchBatches", digests });
    return;
  }
  const peer = hint ?? drawPeer(core, fetch.target, fetch.attempts);
  if (peer === undefined) return;
  emit(core, { kind: "send", to: peer, message: { kind: "fetch", target: fetch.target } });
  const state = core.peers.get(peer);
  if (state && (fetch.target.kind === "block" || fetch.target.kind === "finalBlocks")) {
    state.owedBlocks = Math.min(state.owedBlocks + 1, BOUNDS.owedBlocksMax);
  }
}
