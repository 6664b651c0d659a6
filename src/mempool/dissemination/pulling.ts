import { assert, present, toHex } from "../../kernel/index.ts";
import { LIMITS } from "../../protocol/index.ts";
import type { BatchFault } from "../types.ts";
import { WANTED_COUNT_MAX } from "./messages.ts";
import type { DisseminationState, Peer, PeerFault, PeerId, Want } from "./state.ts";
import { endPull, forgetAnnouncer, forgetWant, leaveReady, leaveUrgent, makeReady, makeWait, setTime, waitMsOf } from "./wants.ts";

/** The wait for an answer, and after a refusal, doubles up to this factor. */
const BACK_OFF_MAX = 8;
/** A refusal that is nobody's fault is tried again after this many pull timeouts, doubling. */
const REFUSAL_TIMEOUTS = 2;
/** Pulls for blocks may run beside those that fill a peer's or the whole room. */
const URGENT_FACTOR = 2;
/** Part of the room for pulls that those outside the set may fill. */
const OUTSIDERS_PART = 0.25;
/** Needed batches that nobody can be asked for at the moment, looked at in one turn. */
const MISSES_MAX = 32;
/** What nobody announced is asked of those who had no more of such batches in vain than the best of them and so many. */
const LACKS_SLACK = 8;

/** A batch came: handed to the door when it was asked for. */
export function onBatch(state: DisseminationState, peer: Peer, digest: Uint8Array, encoded: Uint8Array): void {
  const digestHex = toHex(digest);
  const want = state.wants.get(digestHex);
  if (want === undefined || want.phase === "arrived" || !(want.peer === peer.id || want.tried.has(peer.id))) {
    if (want !== undefined || state.lapsed.has(digestHex)) state.counters.duplicates++;
    else onUnsolicited(state, peer);
    return;
  }
  endPull(state, want); // also one that runs from another peer: what came late came first
  leaveReady(state, want);
  want.phase = "arrived";
  want.peer = peer.id;
  want.sizeBytes = encoded.length;
  state.pulls++;
  state.pullSizeBytes += encoded.length;
  state.counters.pulled++;
  state.counters.pulledSizeBytes += encoded.length;
  want.wasNeeded = want.neededUntilMs !== undefined;
  if (want.wasNeeded) peer.lackCount = 0;
  state.effects.push({ kind: "receive", digest: want.digest, encoded, isNeeded: want.wasNeeded });
}

function onUnsolicited(state: DisseminationState, peer: Peer): void {
  state.counters.unsolicited++;
  state.effects.push({ kind: "fault", peer: peer.id, fault: "unsolicited" });
}

/** A peer says that it does not hold what it was asked for. */
export function onAbsent(state: DisseminationState, peer: Peer, digest: Uint8Array): void {
  const want = state.wants.get(toHex(digest));
  if (want?.phase !== "asked" || want.peer !== peer.id) return;
  state.counters.absent++;
  if (want.neededUntilMs !== undefined) peer.lackCount++;
  endPull(state, want);
  forgetAnnouncer(state, want, peer.id);
  want.tried.add(peer.id);
  retry(state, want);
}

/** The door did not take a batch. */
export function onRefused(state: DisseminationState, digest: Uint8Array, code: BatchFault): void {
  const want = state.wants.get(toHex(digest));
  if (want?.phase !== "arrived") return;
  const sender = want.peer;
  endPull(state, want);
  const fault = faultOf(code);
  if (fault !== undefined && sender !== undefined) {
    state.effects.push({ kind: "fault", peer: sender, fault });
    forgetAnnouncer(state, want, sender);
  }
  if (code === "faulty") {
    state.ended.add(want.digestHex);
    forgetWant(state, want);
  } else if (code === "closed") forgetWant(state, want);
  else if (fault !== undefined) retry(state, want);
  else if (want.neededUntilMs !== undefined && !want.wasNeeded)
    makeReady(state, want); // the door judges it otherwise now
  else pause(state, want);
}

function faultOf(code: BatchFault): PeerFault | undefined {
  switch (code) {
    case "malformed":
    case "tooLarge":
    case "wrongDigest":
    case "badSignature":
    case "faulty":
      return code;
    case "unknownAuthor":
    case "full":
    case "diskFull":
    case "closed":
      return undefined;
  }
}

/** A peer is gone: what it was asked for is asked of others, what it alone announced is forgotten. */
export function onPeerGone(state: DisseminationState, peer: Peer): void {
  for (const digestHex of peer.announced) {
    const want = state.wants.get(digestHex);
    if (want !== undefined) want.announcers.delete(peer.id);
  }
  for (const digestHex of [...state.timed, ...peer.announced]) {
    const want = state.wants.get(digestHex);
    if (want === undefined) continue;
    if (want.phase === "asked" && want.peer === peer.id) {
      endPull(state, want);
      retry(state, want);
    } else if (want.announcers.size === 0 && want.phase !== "arrived" && want.phase !== "asked") dropUnlessNeeded(state, want);
  }
}

/** Ends pulls that took too long and waits that are over, then asks for what may be asked for. */
export function pullDue(state: DisseminationState): void {
  if (state.nowMs >= state.nextTimedMs) endTimed(state);
  const asks = new Map<PeerId, Uint8Array[]>();
  let misses = 0;
  for (const urgent of [state.urgentAgain, state.urgent]) {
    for (const digestHex of urgent) {
      if (state.pulls >= URGENT_FACTOR * state.tuning.pullsMax || misses >= MISSES_MAX) break;
      if (!askUrgently(state, digestHex, asks)) misses++;
    }
  }
  askInTurns(state, asks);
  for (const [peer, digests] of asks) {
    for (let at = 0; at < digests.length; at += WANTED_COUNT_MAX) {
      state.effects.push({ kind: "send", peer, message: { kind: "want", digests: digests.slice(at, at + WANTED_COUNT_MAX) } });
    }
  }
}

/** Peers in a random order each ask one after the other, so that one that announces much does not hold up the rest. */
function askInTurns(state: DisseminationState, asks: Map<PeerId, Uint8Array[]>): void {
  let peers = [...state.peers.values()].filter(({ ready }) => ready.size > 0);
  for (let left = peers.length; left > 1; left--) swap(peers, left - 1, state.prng.below(left));
  while (peers.length > 0) {
    peers = peers.filter((peer) => {
      const digestHex = findAskable(state, peer);
      const want = digestHex === undefined ? undefined : state.wants.get(digestHex);
      if (want === undefined) return false;
      ask(state, want, peer, asks);
      return true;
    });
  }
}

function swap<T>(items: T[], i: number, j: number): void {
  const [a, b] = [items[i], items[j]];
  if (a === undefined || b === undefined) return;
  items[i] = b;
  items[j] = a;
}

/**
 * The next batch to ask a peer for, unless too much runs already. A member may use at most two of n equal shares of the
 * room, and those outside the set together a quarter of it: a third of the members and any number of others that let us
 * wait leave room for the rest.
 */
function findAskable(state: DisseminationState, peer: Peer): string | undefined {
  const { tuning, weights } = state;
  const isMember = weights.has(peer.id);
  const part = isMember ? 1 : OUTSIDERS_PART;
  const share = Math.min(1, 2 / Math.max(1, weights.size));
  const isFull =
    state.pulls >= part * tuning.pullsMax ||
    state.pullSizeBytes >= part * tuning.pullSizeBytesMax ||
    peer.pulls >= Math.min(tuning.peerPullsMax, Math.ceil(share * tuning.pullsMax)) ||
    peer.pullSizeBytes >= Math.min(tuning.peerPullSizeBytesMax, share * tuning.pullSizeBytesMax);
  return isFull || !mayName(state, peer) ? undefined : peer.ready.values().next().value;
}

/** Whether a peer may be named another digest now. */
function mayName(state: DisseminationState, peer: Peer): boolean {
  return peer.named.left(state.nowMs) > 0;
}

/** When a peer that something could be asked of may be named digests again; infinity when none waits for that. */
export function nextAskMs(state: DisseminationState): number {
  let nextMs = Number.POSITIVE_INFINITY;
  const isUrgent = state.urgentAgain.size + state.urgent.size > 0;
  for (const { ready, named } of state.peers.values()) {
    const leftMs = isUrgent || ready.size > 0 ? named.waitMs(state.nowMs) : 0;
    if (leftMs > 0) nextMs = Math.min(nextMs, state.nowMs + leftMs);
  }
  return nextMs;
}

/**
 * What a block needs: of someone who announced it and was not asked yet, else of anyone connected; of what nobody announced,
 * as after a long absence, first of those who had what they were asked for before.
 */
function askUrgently(state: DisseminationState, digestHex: string, asks: Map<PeerId, Uint8Array[]>): boolean {
  const want = present(state.wants.get(digestHex), "what is urgent is wanted");
  const known = [...(want.announcers.size > 0 ? want.announcers : state.peers.keys())].flatMap((id) => state.peers.get(id) ?? []);
  const untried = known.filter(({ id }) => !want.tried.has(id));
  const candidates = untried.length > 0 ? untried : known;
  const lacksMax = Math.min(...candidates.map(({ lackCount }) => lackCount)) + LACKS_SLACK;
  const choice = candidates.filter(
    (peer) => peer.pulls < URGENT_FACTOR * state.tuning.peerPullsMax && peer.lackCount <= lacksMax && mayName(state, peer),
  );
  const peer = choice[state.prng.below(Math.max(1, choice.length))];
  if (peer !== undefined) ask(state, want, peer, asks);
  return peer !== undefined;
}

function ask(state: DisseminationState, want: Want, peer: Peer, asks: Map<PeerId, Uint8Array[]>): void {
  const { tuning } = state;
  leaveReady(state, want);
  want.phase = "asked";
  want.peer = peer.id;
  if (want.sizeBytes === 0) want.sizeBytes = LIMITS.batchBytesMax;
  state.pulls++;
  state.pullSizeBytes += want.sizeBytes;
  peer.pulls++;
  peer.pullSizeBytes += want.sizeBytes;
  const transferMs = Math.ceil((peer.pullSizeBytes * 1_000) / tuning.pullBytesPerSecondMin);
  setTime(state, want, state.nowMs + waitMsOf(state, want) * Math.min(2 ** want.attempts, BACK_OFF_MAX) + transferMs);
  want.attempts++;
  want.tried.add(peer.id);
  peer.named.spend(1);
  const digests = asks.get(peer.id) ?? [];
  digests.push(want.digest);
  asks.set(peer.id, digests);
}

function endTimed(state: DisseminationState): void {
  for (const digestHex of [...state.timed]) {
    const want = state.wants.get(digestHex);
    assert(want !== undefined, "what has a time is wanted");
    if (want.atMs > state.nowMs) continue;
    if (want.phase === "waiting") {
      state.timed.delete(digestHex);
      makeReady(state, want);
    } else onTimeout(state, want);
  }
  state.nextTimedMs = Number.POSITIVE_INFINITY;
  for (const digestHex of state.timed) {
    const want = present(state.wants.get(digestHex), "what has a time is wanted");
    state.nextTimedMs = Math.min(state.nextTimedMs, want.atMs);
  }
}

function onTimeout(state: DisseminationState, want: Want): void {
  const { peer } = want;
  state.counters.timeouts++;
  const asked = peer === undefined ? undefined : state.peers.get(peer);
  if (asked !== undefined && want.neededUntilMs !== undefined) asked.lackCount++;
  endPull(state, want);
  if (peer !== undefined && want.announcers.has(peer)) state.effects.push({ kind: "fault", peer, fault: "withheld" });
  retry(state, want);
}

/** Asks another announcer at once when there is one that was not asked, else all of them again after a pause. */
function retry(state: DisseminationState, want: Want): void {
  if (want.neededUntilMs !== undefined && want.neededUntilMs <= state.nowMs) {
    want.neededUntilMs = undefined;
    state.neededCount--;
    leaveUrgent(state, want);
  }
  const isNeeded = want.neededUntilMs !== undefined;
  if (!isNeeded && (want.announcers.size === 0 || want.attempts >= state.tuning.attemptsMax)) {
    forgetWant(state, want);
    return;
  }
  const sources = want.announcers.size > 0 ? want.announcers : state.peers.keys();
  if ([...sources].some((id) => !want.tried.has(id))) {
    makeReady(state, want);
    for (const id of want.tried) state.peers.get(id)?.ready.delete(want.digestHex);
    return;
  }
  want.tried.clear();
  makeWait(state, want, state.nowMs + (state.tuning.pullTimeoutMs * Math.min(2 ** want.attempts, BACK_OFF_MAX)) / 2);
}

/** Nobody's fault: the same again later. */
function pause(state: DisseminationState, want: Want): void {
  const isHopeless = want.attempts >= state.tuning.attemptsMax || want.announcers.size === 0;
  if (isHopeless && want.neededUntilMs === undefined) {
    forgetWant(state, want);
    return;
  }
  want.tried.clear();
  const factor = Math.min(2 ** Math.max(0, want.attempts - 1), BACK_OFF_MAX);
  makeWait(state, want, state.nowMs + REFUSAL_TIMEOUTS * state.tuning.pullTimeoutMs * factor);
}

function dropUnlessNeeded(state: DisseminationState, want: Want): void {
  if (want.neededUntilMs === undefined) forgetWant(state, want);
}
