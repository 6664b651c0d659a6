import { toHex } from "../../kernel/index.ts";
import type { DurableBatch } from "../types.ts";
import { judgeLevel, noteHolder } from "./holders.ts";
import { ANNOUNCED_COUNT_MAX, type Announced } from "./messages.ts";
import type { DisseminationState, Held, Peer, PeerId } from "./state.ts";
import { forgetWant } from "./wants.ts";

/** Digests that wait to be announced to one peer, beyond what it is told when it connects. */
const BACKLOG_MAX = 8_192;
/** Rounds in which even known holders are told: so that they count us, although a message was lost. */
const ROUNDS_TO_ALL = 2;
/** The pause between announcements of one batch doubles up to this factor. */
const PAUSE_FACTOR_MAX = 16;

/** A batch is durable here: whoever announced it holds it too, and everyone is told. */
export function onHeld(state: DisseminationState, { digest, sizeBytes }: DurableBatch): void {
  const digestHex = toHex(digest);
  if (state.held.has(digestHex)) return; // sealed again by a validator whose disk was restored
  const held: Held = {
    digest,
    digestHex,
    sizeBytes,
    holders: new Set(),
    rounds: 0,
    nextAnnounceMs: state.nowMs + state.tuning.reannounceMs,
    level: "none",
  };
  state.held.set(digestHex, held);
  judgeLevel(state, held);
  const want = state.wants.get(digestHex);
  const isNews = want?.wasNeeded !== true;
  for (const peer of want?.announcers ?? []) noteHolder(state, held, peer);
  if (want !== undefined) forgetWant(state, want);
  if (!isNews) {
    // A block names it: whoever lacks it asks for it. Who catches up would tell of thousands that everyone has executed.
    held.nextAnnounceMs = state.nowMs + PAUSE_FACTOR_MAX * state.tuning.reannounceMs;
    return;
  }
  state.fresh.push(digestHex);
  state.freshAtMs = Math.min(state.freshAtMs, state.nowMs + state.tuning.announceDelayMs);
}

/** A batch waits for a block no longer: nobody is told of it any more. */
export function onReleased(state: DisseminationState, digest: Uint8Array, isCommitted: boolean): void {
  const digestHex = toHex(digest);
  state.held.delete(digestHex);
  if (isCommitted) state.ended.add(digestHex);
}

/** A peer connected: it is told everything that is not executed. */
export function tellEverything(state: DisseminationState, peer: Peer): void {
  peer.backlog = [...state.held.keys()];
  peer.nextPageMs = state.nowMs;
}

/** Sends announcements that are due: fresh ones to everyone, pages to those that lag, and repeats. */
export function announceDue(state: DisseminationState): void {
  if (state.nowMs >= state.freshAtMs) {
    const fresh = announcedOf(state, state.fresh.splice(0));
    state.freshAtMs = Number.POSITIVE_INFINITY;
    tell(state, fresh);
  }
  if (state.nowMs >= state.nextReannounceMs) {
    state.nextReannounceMs = state.nowMs + state.tuning.reannounceMs;
    repeatDue(state);
  }
  for (const peer of state.peers.values()) {
    if (peer.backlog.length === 0 || state.nowMs < peer.nextPageMs || peer.named.left(state.nowMs) <= 0) continue;
    const page = announcedOf(state, peer.backlog.splice(0, ANNOUNCED_COUNT_MAX));
    peer.nextPageMs = state.nowMs + state.tuning.pageIntervalMs;
    announce(state, [peer.id], page);
  }
}

/** When the next announcement is due. */
export function nextAnnouncementMs(state: DisseminationState): number {
  let nextMs = state.freshAtMs;
  if (state.held.size > 0 && state.peers.size > 0) nextMs = Math.min(nextMs, state.nextReannounceMs);
  for (const { backlog, nextPageMs, named } of state.peers.values()) {
    if (backlog.length > 0) nextMs = Math.min(nextMs, Math.max(nextPageMs, state.nowMs + named.waitMs(state.nowMs)));
  }
  return nextMs;
}

/** R1: what is not executed is announced again, the oldest first, to those not known to hold it. */
function repeatDue(state: DisseminationState): void {
  for (const held of state.held.values()) {
    if (held.nextAnnounceMs > state.nowMs) continue;
    held.rounds++;
    held.nextAnnounceMs = state.nowMs + state.tuning.reannounceMs * Math.min(2 ** held.rounds, PAUSE_FACTOR_MAX);
    for (const peer of state.peers.values()) {
      const isTold = held.rounds <= ROUNDS_TO_ALL || !held.holders.has(peer.id);
      if (isTold && peer.backlog.length < BACKLOG_MAX) peer.backlog.push(held.digestHex);
    }
  }
}

function announcedOf(state: DisseminationState, digests: readonly string[]): Announced[] {
  const announced: Announced[] = [];
  for (const digestHex of new Set(digests)) {
    const held = state.held.get(digestHex);
    if (held !== undefined) announced.push({ digest: held.digest, sizeBytes: held.sizeBytes });
  }
  return announced;
}

/** Tells everyone at once who takes that many digests, the others later, page by page. */
function tell(state: DisseminationState, fresh: readonly Announced[]): void {
  for (let at = 0; at < fresh.length; at += ANNOUNCED_COUNT_MAX) {
    const page = fresh.slice(at, at + ANNOUNCED_COUNT_MAX);
    const ready: PeerId[] = [];
    for (const peer of state.peers.values()) {
      if (peer.named.left(state.nowMs) > 0) ready.push(peer.id);
      else for (const { digest } of page) if (peer.backlog.length < BACKLOG_MAX) peer.backlog.push(toHex(digest));
    }
    announce(state, ready, page);
  }
}

/** One message object for all peers, so that it need be encoded once. */
function announce(state: DisseminationState, peers: readonly PeerId[], announced: readonly Announced[]): void {
  for (let at = 0; at < announced.length; at += ANNOUNCED_COUNT_MAX) {
    const batches = announced.slice(at, at + ANNOUNCED_COUNT_MAX);
    const message = { kind: "announce", batches } as const;
    state.counters.announced += batches.length * peers.length;
    for (const peer of peers) {
      state.peers.get(peer)?.named.spend(batches.length);
      state.effects.push({ kind: "send", peer, message });
    }
  }
}
