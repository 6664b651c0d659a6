import { expect, test } from "bun:test";
import { Prng, toHex, u32be } from "../../../../src/kernel/index.ts";
import { Budget } from "../../../../src/mempool/dissemination/budget.ts";
import { nextPlanMs, planDissemination } from "../../../../src/mempool/dissemination/planner.ts";
import {
  type DisseminationEffect,
  type DisseminationInput,
  type DisseminationState,
  newDisseminationState,
} from "../../../../src/mempool/dissemination/state.ts";
import { LAN_DISSEMINATION } from "../../../../src/mempool/index.ts";
import type { BatchFault } from "../../../../src/mempool/types.ts";
import { makeValidatorSet } from "../../../../src/protocol/index.ts";

const PEERS = 5;
const DIGESTS = 24;
const REFUSALS: readonly BatchFault[] = ["malformed", "badSignature", "faulty", "unknownAuthor", "full", "diskFull", "closed"];

function keyOf(index: number): Uint8Array {
  return new Uint8Array(32).fill(index + 1);
}

function digestOf(index: number): Uint8Array {
  const digest = new Uint8Array(32);
  digest.set(u32be(index));
  return digest;
}

function newState(seed: number, isHeld: (digest: Uint8Array) => boolean): DisseminationState {
  const set = makeValidatorSet(
    Array.from({ length: 4 }, (_, i) => ({ publicKey: keyOf(i), owner: keyOf(i), weight: 1n, reputation: 10_000 })),
  );
  if (!set.ok) throw new Error(set.error);
  const tuning = {
    ...LAN_DISSEMINATION,
    pullsMax: 6,
    peerPullsMax: 3,
    wantsMax: 40,
    neededMax: 6,
    neededForMs: 9_000,
    attemptsMax: 4,
    answersWaitingMax: 4,
  };
  const state = newDisseminationState({
    ...{ self: toHex(keyOf(0)), tuning, set: set.value, nowMs: 0, prng: new Prng(seed) },
    queries: { isHeld, isFaulty: () => false },
  });
  planDissemination(state, { kind: "members", set: set.value }, 0);
  return state;
}

/** What every part of the state says of the others. */
function expectConsistent(state: DisseminationState): void {
  const wants = [...state.wants.values()];
  const running = wants.filter(({ phase }) => phase === "asked" || phase === "arrived");
  expect(state.pulls).toBe(running.length);
  expect(state.pullSizeBytes).toBe(running.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  expect(state.neededCount).toBe(wants.filter(({ neededUntilMs }) => neededUntilMs !== undefined).length);
  expect(state.neededCount).toBeLessThanOrEqual(state.tuning.neededMax);
  expect(new Set(state.timed)).toEqual(
    new Set(wants.filter(({ phase }) => phase === "asked" || phase === "waiting").map(({ digestHex }) => digestHex)),
  );
  for (const digestHex of state.timed) expect(state.nextTimedMs).toBeLessThanOrEqual(state.wants.get(digestHex)?.atMs ?? 0);
  for (const urgent of [state.urgentAgain, state.urgent])
    for (const digestHex of urgent) expect(state.wants.get(digestHex)).toMatchObject({ phase: "ready" });
  for (const digestHex of state.urgentAgain) expect(state.urgent.has(digestHex)).toBe(false);
  for (const peer of state.peers.values()) {
    const asked = wants.filter(({ phase, peer: id }) => phase === "asked" && id === peer.id);
    expect(peer.pulls).toBe(asked.length);
    expect(peer.pullSizeBytes).toBe(asked.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
    expect(peer.pulls).toBeLessThanOrEqual(2 * state.tuning.peerPullsMax);
    expect(peer.announced).toEqual(new Set(wants.filter(({ announcers }) => announcers.has(peer.id)).map(({ digestHex }) => digestHex)));
    for (const digestHex of peer.ready) expect(state.wants.get(digestHex)).toMatchObject({ phase: "ready" });
    for (const digestHex of peer.ready) expect(peer.announced).toContain(digestHex);
    expect(peer.wanted.length).toBeLessThanOrEqual(state.tuning.answersWaitingMax + 1);
  }
  for (const want of wants) {
    expect(state.held.has(want.digestHex)).toBe(false);
    for (const id of want.announcers) expect(state.peers.has(id)).toBe(true);
    if (want.neededUntilMs === undefined) expect(want.announcers.size + (want.phase === "arrived" ? 1 : 0)).toBeGreaterThan(0);
  }
}

for (let seed = 1; seed <= 12; seed++) {
  test(`plan: random inputs, seed ${seed}, every table agrees with the others and one pull of a digest runs at a time`, () => {
    const prng = new Prng(seed);
    const here = new Set<string>();
    const state = newState(seed, (digest) => here.has(toHex(digest)));
    const answering = new Map<string, Uint8Array>();
    let nowMs = 0;
    const draw = (): Uint8Array => digestOf(prng.below(DIGESTS));
    const inputOf = (): DisseminationInput => {
      const peer = toHex(keyOf(1 + prng.below(PEERS)));
      const arrived = [...state.wants.values()].filter(({ phase }) => phase === "arrived");
      const settled = arrived[prng.below(Math.max(1, arrived.length))];
      switch (prng.below(14)) {
        case 0:
          return { kind: "peerUp", peer };
        case 1:
          return prng.chance(0.3) ? { kind: "peerDown", peer } : { kind: "tick" };
        case 2:
        case 3:
        case 4:
          return { kind: "message", peer, message: { kind: "announce", batches: [{ digest: draw(), sizeBytes: 1 + prng.below(1_000) }] } };
        case 5:
        case 6: {
          const asked = [...state.wants.values()].filter((want) => want.phase === "asked" && want.peer === peer);
          const digest = prng.chance(0.8) ? (asked[0]?.digest ?? draw()) : draw();
          return { kind: "message", peer, message: { kind: "batch", digest, encoded: new Uint8Array(1 + prng.below(2_000)) } };
        }
        case 7:
          return { kind: "message", peer, message: { kind: "absent", digests: [draw(), draw()] } };
        case 8:
          return { kind: "message", peer, message: { kind: "want", digests: [draw(), draw()] } };
        case 9:
          return { kind: "needed", digests: [draw()] };
        case 10:
          if (settled === undefined) return { kind: "tick" };
          return { kind: "refused", digest: settled.digest, code: REFUSALS[prng.below(REFUSALS.length)] ?? "full" };
        case 11:
          if (settled === undefined) return { kind: "tick" };
          here.add(settled.digestHex);
          return { kind: "held", batch: { digest: settled.digest, count: 1, sizeBytes: 9, isOwn: false } };
        case 12: {
          const [held] = state.held.values();
          return held === undefined
            ? { kind: "tick" }
            : { kind: "released", release: { digest: held.digest, isCommitted: prng.chance(0.7) } };
        }
        default: {
          const [first] = answering;
          if (first === undefined) return { kind: "tick" };
          answering.delete(first[0]);
          if (prng.chance(0.2)) return { kind: "noRoom", peer: first[0], digest: first[1] };
          return prng.chance(0.2) ? { kind: "room", peer: first[0] } : { kind: "answered", peer: first[0], sizeBytes: prng.below(500) };
        }
      }
    };
    const asked = new Set<string>();
    for (let step = 0; step < 1_500; step++) {
      nowMs += prng.below(120);
      const before = new Map([...state.wants].map(([digestHex, { phase, atMs }]) => [digestHex, { phase, atMs }]));
      const input = inputOf();
      const effects: readonly DisseminationEffect[] = planDissemination(state, input, nowMs);
      for (const effect of effects) {
        if (effect.kind === "answer") answering.set(effect.peer, effect.digest);
        if (effect.kind !== "send" || effect.message.kind !== "want") continue;
        for (const digest of effect.message.digests) {
          const digestHex = toHex(digest);
          expect(state.wants.get(digestHex)).toMatchObject({ phase: "asked", peer: effect.peer });
          if (input.kind !== "refused") expect(before.get(digestHex)?.phase).not.toBe("arrived");
          asked.add(digestHex);
        }
      }
      expectConsistent(state);
      expect(nextPlanMs(state)).toBeGreaterThan(nowMs - 200);
    }
    expect(asked.size).toBeGreaterThan(DIGESTS / 2);
  });
}

test("plan: outside the set, thousands that blocks need and thousands to tell of, never more named to a peer than it takes", () => {
  const set = makeValidatorSet([1, 2, 3, 4].map((i) => ({ publicKey: keyOf(i), owner: keyOf(i), weight: 1n, reputation: 10_000 })));
  if (!set.ok) throw new Error(set.error);
  const state = newDisseminationState({
    ...{ self: toHex(keyOf(0)), tuning: LAN_DISSEMINATION, set: set.value, nowMs: 0, prng: new Prng(1) },
    queries: { isHeld: () => false, isFaulty: () => false },
  });
  planDissemination(state, { kind: "members", set: set.value }, 0);
  const peers = [1, 2, 3, 4].map((i) => toHex(keyOf(i)));
  // What each of them gives to one who is no member: a tenth of its bound.
  const taken = new Map(peers.map((peer) => [peer, new Budget(409.6, 1_638.4, 0)]));
  let named = 0;
  const run = (input: DisseminationInput, nowMs: number): void => {
    const waiting: DisseminationInput[] = [input];
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      for (const effect of planDissemination(state, next, nowMs)) {
        if (effect.kind !== "send") continue;
        const { message, peer } = effect;
        const digests =
          message.kind === "want" ? message.digests : message.kind === "announce" ? message.batches.map((one) => one.digest) : [];
        expect(taken.get(peer)?.left(nowMs)).toBeGreaterThan(0);
        taken.get(peer)?.spend(digests.length);
        named += digests.length;
        if (message.kind === "want") waiting.push({ kind: "message", peer, message: { kind: "absent", digests } });
      }
    }
  };
  for (const peer of peers) run({ kind: "peerUp", peer }, 0);
  run({ kind: "needed", digests: Array.from({ length: 3_000 }, (_, i) => digestOf(i)) }, 1);
  let nowMs = 1;
  for (let i = 0; i < 3_000; i++)
    run({ kind: "held", batch: { digest: digestOf(10_000 + i), count: 1, sizeBytes: 9, isOwn: false } }, nowMs);
  while (nowMs < 20_000) {
    nowMs = Math.max(nowMs + 1, Math.min(nowMs + 1_000, nextPlanMs(state)));
    run({ kind: "tick" }, nowMs);
  }
  expect(named).toBeGreaterThan(10_000); // and not silenced by it
});
