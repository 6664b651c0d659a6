import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compareBytes, toHex } from "../../../src/kernel/index.ts";
import { type BlockExecution, findSigningKey } from "../../../src/ledger/index.ts";
import { encodeEntry, encodeReceipt, makeValidatorSet, type Transaction, type ValidatorSet } from "../../../src/protocol/index.ts";
import { type BlockChange, boxOf, EpochWorld } from "./epoch-fixture.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g"];
const STAKERS = [...NAMES, "staker"];
const name = fc.constantFrom(...NAMES);
const staker = fc.constantFrom(...STAKERS);
const amount = fc.oneof(fc.bigInt(1n, 3_000n), fc.constant(2n ** 64n - 1n));

/** One thing that happens in a block. */
const deed = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom("stake" as const, "unstake" as const, "withdraw" as const),
      by: staker,
      to: name,
      amount,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("doubleVote" as const), by: name, epochsAgo: fc.nat(3), isAttached: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rotate" as const), by: name, later: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("exit" as const), by: name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("pay" as const), by: staker, amount: fc.bigInt(0n, 900n) }) },
);
type Deed = typeof deed extends fc.Arbitrary<infer D> ? D : never;

const blocks = fc.array(
  fc.record({
    deeds: fc.array(deed, { maxLength: 4 }),
    afterMs: fc.constantFrom(1_000, 20_000, 300_000),
    missedViews: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(30)),
    voters: fc.subarray(NAMES, { minLength: 5 }),
  }),
  { minLength: 4, maxLength: 50 },
);

const SCENES = fc.record({
  stakes: fc.array(fc.bigInt(900n, 1_100n), { minLength: 7, maxLength: 7 }),
  blocks,
  feePolicy: fc.constantFrom("burn" as const, "validators" as const),
});
type Scene = typeof SCENES extends fc.Arbitrary<infer S> ? S : never;

function worldOf({ stakes, feePolicy }: Scene): EpochWorld {
  const byName = Object.fromEntries(NAMES.map((one, at) => [one, stakes[at] ?? 1_000n]));
  return new EpochWorld(byName, { epochBlocks: 8, jailEpochs: 1, unbondingMs: 600_000, feePolicy }, { staker: 20_000n });
}

function transactionOf(world: EpochWorld, done: Deed, serial: number): Transaction | undefined {
  switch (done.kind) {
    case "stake":
    case "unstake":
    case "withdraw": {
      const type = done.kind === "stake" ? 8 : done.kind === "unstake" ? 9 : 10;
      return world.transaction(done.by, { type, validator: boxOf(done.to).publicKey, amount: done.amount });
    }
    case "rotate":
      return world.rotation(done.by, `${done.by} ${serial}`, world.validator(done.by).term + 1, world.epoch + 1 + done.later);
    case "exit":
      return world.transaction(done.by, { type: 7, validator: boxOf(done.by).publicKey });
    case "pay":
      return world.transaction(done.by, { type: 1, to: boxOf("nobody").publicKey, amount: 1n }, 10n + done.amount);
    case "doubleVote":
      return undefined;
  }
}

/** Evidence against a member of the set of an epoch not long ago, where it was one. */
function evidenceOf(world: EpochWorld, done: Deed): Uint8Array | undefined {
  if (done.kind !== "doubleVote" || done.epochsAgo > world.epoch) return undefined;
  const epoch = world.epoch - done.epochsAgo;
  const set = world.epochs[epoch]?.validatorSet;
  const isMember = set?.validators.some(({ publicKey }) => {
    return toHex(findSigningKey(world.state, publicKey)?.validator ?? publicKey) === toHex(boxOf(done.by).publicKey);
  });
  return isMember === true ? world.doubleVote(done.by, epoch) : undefined;
}

/** Plays a scene; told of every block. Attached evidence that would convict nobody is left out, as leaders do. */
function play(scene: Scene, onBlock: (world: EpochWorld, execution: BlockExecution, before: ValidatorSet) => void): EpochWorld {
  const world = worldOf(scene);
  let serial = 0;
  for (const { deeds, afterMs, missedViews, voters } of scene.blocks) {
    const transactions: Transaction[] = [];
    const attached: Uint8Array[] = [];
    for (const done of deeds) {
      const evidence = evidenceOf(world, done);
      if (evidence && done.kind === "doubleVote" && done.isAttached) attached.push(evidence);
      else if (evidence) transactions.push(world.transaction("staker", { type: 12, evidence }, 10n));
      else {
        const transaction = transactionOf(world, done, serial++);
        if (transaction) transactions.push(transaction);
      }
    }
    const present = world.membersAmong(voters);
    const change: BlockChange = { afterMs, missedViews, voters: present };
    const refused = new Set(world.execute([], { ...change, evidence: attached }).refusedEvidence.map(({ index }) => index));
    const before = world.set;
    const execution = world.block(transactions, { ...change, evidence: attached.filter((_, at) => !refused.has(at)) });
    onBlock(world, execution, before);
  }
  return world;
}

/** Everything that the blocks of a scene left behind, as bytes. */
function traceOf(scene: Scene): string[] {
  const trace: string[] = [];
  play(scene, (world, { receipts, nextValidatorSet }) => {
    const entries = [...world.state.entries].map(([key, entry]) => `${key} ${toHex(encodeEntry(entry))}`).sort();
    trace.push(
      entries.join(),
      receipts.map((receipt) => toHex(encodeReceipt(receipt))).join(),
      toHex(nextValidatorSet?.hash ?? new Uint8Array(0)),
    );
  });
  return trace;
}

/** Weight that changed hands between two sets, by validator. */
function movedBetween(world: EpochWorld, before: ValidatorSet, after: ValidatorSet): bigint {
  const weights = new Map<string, bigint>();
  for (const [set, sign] of [
    [before, -1n],
    [after, 1n],
  ] as const) {
    for (const { publicKey, weight } of set.validators) {
      const id = toHex(findSigningKey(world.state, publicKey)?.validator ?? publicKey);
      weights.set(id, (weights.get(id) ?? 0n) + sign * weight);
    }
  }
  return [...weights.values()].reduce((sum, change) => sum + (change < 0n ? -change : change), 0n);
}

describe("random epochs", () => {
  test("epochs: whatever happens, units are conserved, sets are lawful and less than a third moves", () => {
    const seen = { turns: 0, convictions: 0, changes: 0 };
    fc.assert(
      fc.property(SCENES, (scene) => {
        play(scene, (world, { nextValidatorSet: next, refusedEvidence, convictions }, before) => {
          expect(refusedEvidence).toEqual([]);
          seen.convictions += convictions.length;
          for (const { reputation } of NAMES.map((one) => world.validator(one))) {
            expect(reputation >= 0 && reputation <= 10_000).toBe(true);
          }
          if (!next) return;
          seen.turns++;
          expect(makeValidatorSet(next.validators).ok).toBe(true);
          const moved = movedBetween(world, before, next);
          if (moved > 0n) seen.changes++;
          expect(3n * moved < before.totalWeight).toBe(true);
          expect(
            next.validators.every(
              (member, at) => at === 0 || compareBytes(next.validators[at - 1]?.publicKey ?? member.publicKey, member.publicKey) < 0,
            ),
          ).toBe(true);
        });
      }),
      { numRuns: 1500 },
    );
    expect([seen.turns > 50, seen.convictions > 50, seen.changes > 50]).toEqual([true, true, true]);
  });

  test("epochs: executed again, the same entries, receipts and sets to the byte", () => {
    fc.assert(
      fc.property(SCENES, (scene) => {
        expect(traceOf(scene)).toEqual(traceOf(scene));
      }),
      { numRuns: 100 },
    );
  });
});
