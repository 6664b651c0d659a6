import { toHex } from "../../kernel/index.ts";
import type { Announced } from "./messages.ts";
import type { DisseminationState, Peer, PeerId, Want } from "./state.ts";

/** Members that share the room for announced digests, at least: two boxes alone do not fill it for the others to come. */
const SHARING_MEMBERS_MIN = 4;
/** Announced digests remembered of a peer outside the set, so that no number of them takes room from members. */
const OUTSIDER_WANTS_MAX = 128;

/** What a block needs is asked of the next one so many times sooner. */
const NEEDED_HASTE = 4;
/** Times are rounded up to this, so that many of them are one awakening. */
const TIME_GRID_MS = 20;

/** Notes that a peer holds a batch that is not here. Beyond the peer's share it is not remembered: it will be announced again. */
export function noteAnnounced(state: DisseminationState, peer: Peer, { digest, sizeBytes }: Announced): void {
  const digestHex = toHex(digest);
  let want = state.wants.get(digestHex);
  if (want === undefined) {
    if (state.ended.has(digestHex) || state.queries.isFaulty(digest) || state.queries.isHeld(digest)) return;
    if (peer.announced.size >= shareOf(state, peer.id)) {
      state.counters.overflow++;
      return;
    }
    want = addWant(state, digest.slice(), digestHex, sizeBytes);
  } else if (want.announcers.has(peer.id)) return;
  want.announcers.add(peer.id);
  peer.announced.add(digestHex);
  if (want.phase === "ready") peer.ready.add(digestHex);
}

function shareOf({ weights, tuning }: DisseminationState, id: PeerId): number {
  return weights.has(id) ? Math.floor(tuning.wantsMax / Math.max(SHARING_MEMBERS_MIN, weights.size)) : OUTSIDER_WANTS_MAX;
}

/** Notes that a block needs a batch that is not here: it is asked for before all others, whoever is known to hold it. */
export function noteNeeded(state: DisseminationState, digest: Uint8Array): void {
  const digestHex = toHex(digest);
  if (state.held.has(digestHex) || state.queries.isFaulty(digest)) return;
  let want = state.wants.get(digestHex);
  if (want === undefined && state.queries.isHeld(digest)) return;
  if (want?.neededUntilMs === undefined) {
    if (state.neededCount >= state.tuning.neededMax) {
      state.counters.overflow++;
      return;
    }
    state.neededCount++;
  }
  want ??= addWant(state, digest.slice(), digestHex, 0);
  want.neededUntilMs = state.nowMs + state.tuning.neededForMs;
  if (want.phase === "asked") hasten(state, want);
  if (want.phase === "asked" || want.phase === "arrived") return;
  state.timed.delete(digestHex); // whatever it waited for, it is asked for now
  makeReady(state, want);
}

/** How long a pull waits at most for its first byte, the transfer aside: for what a block needs a part of the usual time. */
export function waitMsOf(state: DisseminationState, want: Want): number {
  const { pullTimeoutMs } = state.tuning;
  return want.neededUntilMs === undefined ? pullTimeoutMs : pullTimeoutMs / NEEDED_HASTE;
}

/** Somebody may be keeping a batch from us that others would send: a deadline runs, so he does not get the usual time. */
function hasten(state: DisseminationState, want: Want): void {
  const atMs = state.nowMs + waitMsOf(state, want);
  if (atMs < want.atMs) setTime(state, want, atMs);
}

function addWant(state: DisseminationState, digest: Uint8Array, digestHex: string, sizeBytes: number): Want {
  const want: Want = {
    ...{ digest, digestHex, sizeBytes },
    ...{ announcers: new Set<PeerId>(), tried: new Set<PeerId>() },
    ...{ neededUntilMs: undefined, attempts: 0, phase: "ready", peer: undefined, wasNeeded: false, atMs: 0 },
  };
  state.wants.set(digestHex, want);
  return want;
}

/** A want can be asked for from now on. */
export function makeReady(state: DisseminationState, want: Want): void {
  want.phase = "ready";
  want.peer = undefined;
  if (want.neededUntilMs !== undefined) (want.attempts > 0 ? state.urgentAgain : state.urgent).add(want.digestHex);
  for (const id of want.announcers) state.peers.get(id)?.ready.add(want.digestHex);
}

/** A want is not asked for until a time. */
export function makeWait(state: DisseminationState, want: Want, untilMs: number): void {
  leaveReady(state, want);
  want.phase = "waiting";
  want.peer = undefined;
  setTime(state, want, untilMs);
}

/** Sets when a want's pull or wait is over. */
export function setTime(state: DisseminationState, want: Want, atMs: number): void {
  want.atMs = Math.ceil(atMs / TIME_GRID_MS) * TIME_GRID_MS;
  state.timed.add(want.digestHex);
  state.nextTimedMs = Math.min(state.nextTimedMs, want.atMs);
}

/** A want leaves the lists of what can be asked for. */
export function leaveReady(state: DisseminationState, want: Want): void {
  leaveUrgent(state, want);
  for (const id of want.announcers) state.peers.get(id)?.ready.delete(want.digestHex);
}

/** No block waits for it any more, or it cannot be asked for now. */
export function leaveUrgent(state: DisseminationState, { digestHex }: Want): void {
  state.urgentAgain.delete(digestHex);
  state.urgent.delete(digestHex);
}

/** A peer is not counted on for a batch any more. */
export function forgetAnnouncer(state: DisseminationState, want: Want, id: PeerId): void {
  want.announcers.delete(id);
  const peer = state.peers.get(id);
  peer?.announced.delete(want.digestHex);
  peer?.ready.delete(want.digestHex);
}

/** A batch is not wanted any more: it is here, nobody has it, or nobody should. */
export function forgetWant(state: DisseminationState, want: Want): void {
  endPull(state, want);
  leaveReady(state, want);
  for (const id of want.announcers) state.peers.get(id)?.announced.delete(want.digestHex);
  if (want.neededUntilMs !== undefined) state.neededCount--;
  state.timed.delete(want.digestHex);
  state.wants.delete(want.digestHex);
  if (want.attempts > 0) state.lapsed.add(want.digestHex);
}

/** A pull that ran, or whose batch was being judged, does so no longer. */
export function endPull(state: DisseminationState, want: Want): void {
  if (want.phase !== "asked" && want.phase !== "arrived") return;
  state.pulls--;
  state.pullSizeBytes -= want.sizeBytes;
  if (want.phase === "asked" && want.peer !== undefined) endPeerPull(state, want, want.peer);
  want.phase = "ready";
  state.timed.delete(want.digestHex);
}

function endPeerPull(state: DisseminationState, want: Want, id: PeerId): void {
  const peer = state.peers.get(id);
  if (peer === undefined) return;
  peer.pulls--;
  peer.pullSizeBytes -= want.sizeBytes;
}
