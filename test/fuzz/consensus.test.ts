import { expect, test } from "bun:test";
import { decodeMessage, encodeMessage, type Message, REFUSAL_POINTS } from "../../src/consensus/index.ts";
import { countHeld } from "../../src/consensus/inspection.ts";
import { Prng, present } from "../../src/kernel/index.ts";
import type { Rig } from "../rules/rig.ts";
import { advance, LIAR, overheard, STATES } from "./consensus-states.ts";
import { mutate } from "./message-mutations.ts";

const MESSAGES = 1_500;
const SEEDS = [1, 2, 3, 4];
const OUTSIDER = "an observer";

/** Signatures that a message carries, at any depth. */
function signaturesIn(value: unknown): number {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return 0;
  let count = 0;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "signature") count++;
    else if (key === "signatures" && Array.isArray(inner)) count += inner.length;
    else count += signaturesIn(inner);
  }
  return count;
}

/** Counts signature verifications from now on. */
function countVerifications(rig: Rig): () => number {
  const { verify } = rig.suite;
  let count = 0;
  const counting: typeof verify = (key, message, signature) => {
    count++;
    return verify(key, message, signature);
  };
  Object.assign(rig.suite, { verify: counting });
  return () => count;
}

/** R0: what is held stays within its bounds, whoever says what. */
function expectBounded(rig: Rig): void {
  const held = countHeld(rig.core);
  const { epoch } = rig.core;
  const views = 256 + 17 + Math.max(0, epoch.current - epoch.floor) + 1;
  expect(held.views).toBeLessThanOrEqual(views);
  expect(held.votes).toBeLessThanOrEqual(views * 4 * 3);
  expect(held.proposals).toBeLessThanOrEqual(views * 3);
  expect(held.blocks).toBeLessThanOrEqual(1_024);
  for (const count of [held.fetches, held.forwards, held.evidence, held.targets]) expect(count).toBeLessThanOrEqual(64);
}

/** Throws messages at a box from the liar's connection and an observer's; each costs what it carries and no more. */
function throwAt(rig: Rig, messages: Iterable<Message>, prng: Prng): void {
  const verifications = countVerifications(rig);
  for (const message of messages) {
    const before = verifications();
    const refusedBefore = rig.notices.length;
    rig.input({ kind: "message", from: prng.chance(0.8) ? rig.peer(LIAR) : OUTSIDER, message });
    // The parent's certificate of a proposal is looked at when it comes and when the proposal is judged.
    expect(verifications() - before).toBeLessThanOrEqual(3 * signaturesIn(message) + 4);
    for (const notice of rig.notices.slice(refusedBefore)) {
      if (notice.kind === "refused") expect(Object.keys(REFUSAL_POINTS)).toContain(notice.code);
    }
    if (prng.chance(0.05)) rig.pass(prng.below(300));
  }
  expectBounded(rig);
}

function* mutations(prng: Prng, known: readonly Message[], count: number): Generator<Message> {
  for (let i = 0; i < count; i++) {
    const source = present(known[prng.below(known.length)], "a message");
    const changed = prng.chance(0.15) ? source : mutate(prng, source, known);
    if (changed) yield changed;
  }
}

for (const [name, make] of Object.entries(STATES)) {
  test(`consensus: anything from one liar and an observer to a box that is ${name}, throws nothing, stays bounded and stops no chain`, () => {
    let refusedCount = 0;
    for (const seed of SEEDS) {
      const prng = new Prng(seed);
      const state = make();
      const { rig } = state;
      rig.input({ kind: "peerUp", peer: OUTSIDER });
      const wasRecovering = rig.status.recovery.kind === "recovering";
      for (let round = 0; round < 3; round++) throwAt(rig, mutations(prng, overheard(state), MESSAGES / 3), prng);
      refusedCount += rig.refusals.length;
      expect([name, seed, rig.halts]).toEqual([name, seed, []]);
      if (!wasRecovering) expect([name, seed, rig.status.recovery.kind]).toEqual([name, seed, "intact"]);
      settle(rig);
      const { height } = rig.status;
      for (let views = 0; views < 60 && rig.status.height < height + 3; views++) advance(state);
      expect([name, seed, rig.halts, rig.status.height >= height + 3]).toEqual([name, seed, [], true]);
      expectBounded(rig);
    }
    expect(refusedCount).toBeGreaterThan(100);
  }, 120_000);
}

/** What honest peers tell a box that has not heard from them: answers to its hello, and to its recovery request. */
function settle(rig: Rig): void {
  for (const other of rig.others) rig.from(other, { kind: "helloAnswer", token: rig.core.helloToken, votesOfYours: [] });
  if (rig.status.recovery.kind !== "recovering") return;
  rig.pass(20_000);
  const token = present(rig.core.recovery, "a box that recovers asks").token;
  for (const other of rig.others) rig.from(other, { kind: "recoveryAnswer", token, isRecovering: false });
  expect(rig.status.recovery.kind).not.toBe("recovering");
}

test("consensus: random bytes and damaged messages, are refused or read back to themselves", () => {
  const prng = new Prng(11);
  const known = Object.values(STATES).flatMap((make) => overheard(make()).map(encodeMessage));
  let acceptedCount = 0;
  for (let i = 0; i < 20_000; i++) {
    const bytes = prng.chance(0.2) ? prng.bytes(prng.below(200)) : damaged(present(known[prng.below(known.length)], "a message"), prng);
    const decoded = decodeMessage(bytes);
    if (!decoded.ok) continue;
    acceptedCount++;
    expect(encodeMessage(decoded.value)).toEqual(bytes);
  }
  expect(acceptedCount).toBeGreaterThan(500);
  expect(decodeMessage(new Uint8Array(2 * 1024 * 1024 + 1))).toEqual({ ok: false, error: "tooLarge" });
}, 120_000);

function damaged(bytes: Uint8Array, prng: Prng): Uint8Array {
  const how = prng.below(4);
  if (how === 0) return bytes.slice(0, prng.below(bytes.length));
  if (how === 1) return Uint8Array.from([...bytes, ...prng.bytes(1 + prng.below(4))]);
  const copy = bytes.slice();
  for (let k = prng.below(4); k > 0; k--) copy[prng.below(copy.length)] = prng.below(256);
  return copy;
}
