import { WANTED_COUNT_MAX } from "./messages.ts";
import type { DisseminationState, Peer } from "./state.ts";

/** Notes what a peer wants; beyond what may wait it is told at once that it should ask another. */
export function onWant(state: DisseminationState, peer: Peer, digests: readonly Uint8Array[]): void {
  const room = Math.max(0, state.tuning.answersWaitingMax - peer.wanted.length);
  peer.wanted.push(...digests.slice(0, room));
  const refused = digests.slice(room);
  for (let at = 0; at < refused.length; at += WANTED_COUNT_MAX) {
    const page = refused.slice(at, at + WANTED_COUNT_MAX);
    state.effects.push({ kind: "send", peer: peer.id, message: { kind: "absent", digests: page } });
  }
}

/** There was no room on the way to a peer: its answer waits until the network says that there is. */
export function onNoRoom(peer: Peer, digest: Uint8Array): void {
  peer.isAnswering = false;
  peer.wanted.unshift(digest);
  peer.hasRoom = false;
}

/** A peer was answered: what that cost is taken from its budget. */
export function onAnswered(state: DisseminationState, peer: Peer, sizeBytes: number): void {
  peer.isAnswering = false;
  peer.answers.spend(sizeBytes);
  if (sizeBytes === 0) return;
  state.counters.answered++;
  state.counters.answeredSizeBytes += sizeBytes;
}

function isAwaiting({ isAnswering, hasRoom, wanted }: Peer): boolean {
  return !isAnswering && hasRoom && wanted.length > 0;
}

/** Answers each peer while its budget lasts, one batch after the other. */
export function answerDue(state: DisseminationState): void {
  for (const peer of state.peers.values()) {
    if (!isAwaiting(peer) || peer.answers.left(state.nowMs) <= 0) continue;
    const digest = peer.wanted.shift();
    if (digest === undefined) continue;
    peer.isAnswering = true;
    state.effects.push({ kind: "answer", peer: peer.id, digest });
  }
}

/** When the next peer that waits for an answer may get one. */
export function nextAnswerMs(state: DisseminationState): number {
  let nextMs = Number.POSITIVE_INFINITY;
  for (const peer of state.peers.values()) {
    if (!isAwaiting(peer)) continue;
    nextMs = Math.min(nextMs, state.nowMs + peer.answers.waitMs(state.nowMs));
  }
  return nextMs;
}
