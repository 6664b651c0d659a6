import { toHex } from "../../kernel/index.ts";
import { announceDue, nextAnnouncementMs, onHeld, onReleased, tellEverything } from "./announcing.ts";
import { answerDue, nextAnswerMs, onAnswered, onNoRoom, onWant } from "./answering.ts";
import { noteHolder, setMembers } from "./holders.ts";
import type { DisseminationMessage } from "./messages.ts";
import { nextAskMs, onAbsent, onBatch, onPeerGone, onRefused, pullDue } from "./pulling.ts";
import { type DisseminationEffect, type DisseminationInput, type DisseminationState, newPeer, type Peer, type PeerId } from "./state.ts";
import { forgetWant, noteAnnounced, noteNeeded } from "./wants.ts";

/** A peer that floods is told of at most this often. */
const TOLD_FLOOD_MS = 1_000;

/**
 * Takes one input and gives what has to be done, in order. Changes the state and nothing else; time and randomness come
 * in through arguments and the state.
 */
export function planDissemination(state: DisseminationState, input: DisseminationInput, nowMs: number): readonly DisseminationEffect[] {
  state.nowMs = Math.max(state.nowMs, nowMs);
  state.effects = [];
  takeInput(state, input);
  announceDue(state);
  answerDue(state);
  pullDue(state);
  return state.effects;
}

/** When to plan again although nothing happened; infinity when never. */
export function nextPlanMs(state: DisseminationState): number {
  return Math.min(nextAnnouncementMs(state), nextAnswerMs(state), nextAskMs(state), state.nextTimedMs);
}

function takeInput(state: DisseminationState, input: DisseminationInput): void {
  switch (input.kind) {
    case "peerUp":
      onPeerUp(state, input.peer);
      return;
    case "peerDown":
      onPeerDown(state, input.peer);
      return;
    case "message": {
      const peer = state.peers.get(input.peer);
      if (peer !== undefined) onMessage(state, peer, input.message);
      return;
    }
    case "held":
      onHeld(state, input.batch);
      return;
    case "released":
      onReleased(state, input.release.digest, input.release.isCommitted);
      return;
    case "needed":
      for (const digest of input.digests) noteNeeded(state, digest);
      return;
    case "found": {
      const want = state.wants.get(toHex(input.digest));
      if (want !== undefined) forgetWant(state, want);
      return;
    }
    case "refused":
      onRefused(state, input.digest, input.code);
      return;
    case "answered": {
      const peer = state.peers.get(input.peer);
      if (peer !== undefined) onAnswered(state, peer, input.sizeBytes);
      return;
    }
    case "noRoom": {
      const peer = state.peers.get(input.peer);
      if (peer !== undefined) onNoRoom(peer, input.digest);
      return;
    }
    case "room": {
      const peer = state.peers.get(input.peer);
      if (peer !== undefined) peer.hasRoom = true;
      return;
    }
    case "members":
      setMembers(state, input.set);
      return;
    case "tick":
      return;
  }
}

function onPeerUp(state: DisseminationState, id: PeerId): void {
  if (id === state.self) return;
  onPeerDown(state, id); // a new connection: nothing asked over the old one is answered
  const peer = newPeer(id, state);
  state.peers.set(id, peer);
  tellEverything(state, peer);
}

function onPeerDown(state: DisseminationState, id: PeerId): void {
  const peer = state.peers.get(id);
  if (peer === undefined) return;
  state.peers.delete(id);
  onPeerGone(state, peer);
}

function onMessage(state: DisseminationState, peer: Peer, message: DisseminationMessage): void {
  if (!isAfforded(state, peer, message)) return;
  switch (message.kind) {
    case "announce":
      for (const announced of message.batches) {
        const held = state.held.get(toHex(announced.digest));
        if (held !== undefined) noteHolder(state, held, peer.id);
        else noteAnnounced(state, peer, announced);
      }
      return;
    case "want":
      onWant(state, peer, message.digests);
      return;
    case "batch":
      onBatch(state, peer, message.digest, message.encoded);
      return;
    case "absent":
      for (const digest of message.digests) onAbsent(state, peer, digest);
      return;
  }
}

/** Every digest costs, and a batch one, so that nobody makes this box look up more than it can. */
function isAfforded(state: DisseminationState, peer: Peer, message: DisseminationMessage): boolean {
  if (peer.digests.left(state.nowMs) > 0) {
    peer.digests.spend(countOf(message));
    return true;
  }
  state.counters.flooded++;
  if (state.nowMs >= peer.toldFloodMs + TOLD_FLOOD_MS) {
    peer.toldFloodMs = state.nowMs;
    state.effects.push({ kind: "fault", peer: peer.id, fault: "flood" });
  }
  return false;
}

function countOf(message: DisseminationMessage): number {
  switch (message.kind) {
    case "announce":
      return message.batches.length;
    case "want":
    case "absent":
      return message.digests.length;
    case "batch":
      return 1;
  }
}
