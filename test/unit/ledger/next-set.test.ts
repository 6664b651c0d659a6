import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nextValidatorSet as chooseSet, type Fate, type SetCandidate, type SetMember } from "../../../src/ledger/next-set.ts";
import { makeValidatorSet, type ValidatorSet } from "../../../src/protocol/index.ts";

const id = (at: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? at : 9));
const candidate = (at: number, stake: bigint): SetCandidate => ({
  id: id(at),
  publicKey: id(at),
  owner: id(200),
  reputation: 10_000,
  stake,
});
const member = (at: number, weight: bigint, stake = weight, fate: Fate = "stays"): SetMember => ({ ...candidate(at, stake), weight, fate });

const nextValidatorSet = (members: readonly SetMember[], joiners: readonly SetCandidate[], seatsMax = 128) =>
  chooseSet(members, joiners, seatsMax);

/** Weights by the first byte of the id. */
function weightsOf(set: ValidatorSet): Record<number, bigint> {
  return Object.fromEntries(set.validators.map(({ publicKey, weight }) => [publicKey[0] ?? 0, weight]));
}

/** Applies the same wishes over and over, as epochs in which nothing else happens do. */
function settle(members: readonly SetMember[], joiners: readonly SetCandidate[], epochs: number): ValidatorSet[] {
  const sets: ValidatorSet[] = [];
  let running = members;
  let waiting = joiners;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const set = nextValidatorSet(running, waiting);
    sets.push(set);
    const weights = weightsOf(set);
    const known = [...running, ...waiting];
    running = known.flatMap((one) => {
      const weight = weights[one.id[0] ?? 0];
      return weight === undefined ? [] : [{ fate: "stays" as const, ...one, weight }];
    });
    waiting = waiting.filter((one) => weights[one.id[0] ?? 0] === undefined);
  }
  return sets;
}

describe("next validator set", () => {
  test("next set: nothing changed, the same set", () => {
    const members = [1, 2, 3, 4].map((at) => member(at, 10n));
    expect(weightsOf(nextValidatorSet(members, []))).toEqual({ 1: 10n, 2: 10n, 3: 10n, 4: 10n });
  });

  test("next set: a single validator, alone whatever is staked elsewhere or asked of it", () => {
    expect(weightsOf(nextValidatorSet([member(1, 10n, 99n)], [candidate(2, 10n)]))).toEqual({ 1: 10n });
    expect(weightsOf(nextValidatorSet([member(1, 10n, 10n, "convicted")], []))).toEqual({ 1: 10n });
  });

  test("next set: a convicted member of seven, out at once", () => {
    const members = [1, 2, 3, 4, 5, 6].map((at) => member(at, 10n));
    const set = nextValidatorSet([...members, member(7, 10n, 9n, "convicted")], []);
    expect(Object.keys(weightsOf(set))).toEqual(["1", "2", "3", "4", "5", "6"]);
  });

  test("next set: a leaver among four, keeps its seat with weight 1 until another takes it", () => {
    const members = [member(1, 10n, 10n, "leaves"), member(2, 10n), member(3, 10n), member(4, 10n)];
    expect(weightsOf(nextValidatorSet(members, []))).toEqual({ 1: 1n, 2: 10n, 3: 10n, 4: 10n });
    const left = [member(1, 1n, 10n, "leaves"), member(2, 10n), member(3, 10n), member(4, 10n)];
    const joined = nextValidatorSet(left, [candidate(5, 9n)]);
    expect(weightsOf(joined)).toEqual({ 1: 1n, 2: 10n, 3: 10n, 4: 10n, 5: 9n });
    const full = [...left, member(5, 9n)];
    expect(weightsOf(nextValidatorSet(full, []))).toEqual({ 2: 10n, 3: 10n, 4: 10n, 5: 9n });
  });

  test("next set: a stake above what F allows, a weight of F at most", () => {
    const members = [member(1, 10n, 1_000n), member(2, 10n), member(3, 10n), member(4, 10n), member(5, 10n)];
    const set = nextValidatorSet(members, []);
    expect(weightsOf(set)).toEqual({ 1: 19n, 2: 10n, 3: 10n, 4: 10n, 5: 10n });
    expect(set.faultyWeightMax).toBe(19n);
  });

  test("next set: two convicted, who does not fit waits with what is left of its weight", () => {
    const members = [1, 2, 3, 4, 5, 6, 7].map((at) => member(at, 10n, 10n, at <= 3 ? "convicted" : "stays"));
    const [first, second, third] = settle(members, [], 3).map(weightsOf);
    expect(first).toEqual({ 3: 7n, 4: 10n, 5: 10n, 6: 10n, 7: 10n });
    expect(second).toEqual({ 4: 10n, 5: 10n, 6: 10n, 7: 10n });
    expect(third).toEqual(second as Record<number, bigint>);
  });

  test("next set: joiners, the largest stake first and with what weight fits", () => {
    const members = [1, 2, 3, 4].map((at) => member(at, 10n));
    const sets = settle(members, [candidate(5, 8n), candidate(6, 10n), candidate(7, 10n)], 4).map(weightsOf);
    expect(sets[0]).toEqual({ 1: 10n, 2: 10n, 3: 10n, 4: 10n, 6: 10n, 7: 3n });
    expect(sets[1]).toEqual({ 1: 10n, 2: 10n, 3: 10n, 4: 10n, 5: 8n, 6: 10n, 7: 10n });
    expect(sets[2]).toEqual(sets[1] as Record<number, bigint>);
  });

  test("next set: stakes that all grow, weights that follow them in steps below a third", () => {
    const members = [1, 2, 3, 4].map((at) => member(at, 1_000n, 2_000n));
    const sets = settle(members, [], 6);
    expect(sets.map(({ totalWeight }) => totalWeight > 4_000n && totalWeight <= 8_000n)).not.toContain(false);
    expect(weightsOf(sets.at(-1) as ValidatorSet)).toEqual({ 1: 2_000n, 2: 2_000n, 3: 2_000n, 4: 2_000n });
  });

  test("next set: more joiners than seats, the largest stakes are seated", () => {
    const members = [1, 2, 3, 4, 5, 6, 7, 8].map((at) => member(at, 100n));
    const joiners = [11, 12, 13].map((at) => candidate(at, BigInt(at)));
    expect(Object.keys(weightsOf(nextValidatorSet(members, joiners, 9)))).toEqual(["1", "2", "3", "4", "5", "6", "7", "8", "13"]);
  });

  test("next set: a rotated key and another owner, no weight moves", () => {
    const members = [1, 2, 3, 4].map((at) => ({ ...member(at, 10n), publicKey: id(50 + at), owner: id(100) }));
    expect(weightsOf(nextValidatorSet(members, []))).toEqual({ 51: 10n, 52: 10n, 53: 10n, 54: 10n });
  });
});

const stakes = fc.oneof(fc.bigInt(1n, 50n), fc.bigInt(1n, 10n ** 7n));
const fates = fc.constantFrom<Fate>("stays", "stays", "stays", "convicted", "leaves");

/** A running set, lawful because its weights lie within 100 to 199 and it has four or more, with wishes for the next. */
const wishes = fc
  .record({
    members: fc.array(fc.record({ weight: fc.bigInt(100n, 149n), stake: stakes, fate: fates }), { minLength: 4, maxLength: 24 }),
    scale: fc.constantFrom(1n, 1n, 10n ** 6n),
    joiners: fc.array(stakes, { maxLength: 12 }),
  })
  .map(({ members, scale, joiners }) => {
    const all = members.length < 6 ? members.map((one) => ({ ...one, weight: 100n })) : members;
    return {
      members: all.map((one, at) => member(at, one.weight * scale, one.stake, one.fate)),
      joiners: joiners.map((stake, at) => candidate(100 + at, stake)),
    };
  });

describe("next validator set, whatever is wished", () => {
  test("next set: any wishes, lawful, less than a third moved, and the same in any order", () => {
    fc.assert(
      fc.property(wishes, fc.integer(), ({ members, joiners }, seed) => {
        const set = nextValidatorSet(members, joiners);
        expect(makeValidatorSet(set.validators).ok).toBe(true);
        expect(set.validators.every(({ weight }) => weight <= set.faultyWeightMax)).toBe(true);
        const after = weightsOf(set);
        const before = Object.fromEntries(members.map(({ id: [at], weight }) => [at ?? 0, weight]));
        const names = new Set([...Object.keys(after), ...Object.keys(before)].map(Number));
        let moved = 0n;
        for (const name of names) {
          const change = (after[name] ?? 0n) - (before[name] ?? 0n);
          moved += change < 0n ? -change : change;
        }
        const total = Object.values(before).reduce((sum, weight) => sum + weight, 0n);
        expect(3n * moved < total).toBe(true);
        const turn = <T>(list: readonly T[]): T[] => list.map((_, at) => list[(at * 7 + Math.abs(seed)) % list.length] as T);
        const isTurned = members.length % 7 !== 0 && joiners.length % 7 !== 0;
        if (isTurned) expect(nextValidatorSet(turn(members), turn(joiners)).hash).toEqual(set.hash);
      }),
      { numRuns: 300 },
    );
  });

  test("next set: the same wishes epoch after epoch, every stake that F allows becomes weight", () => {
    fc.assert(
      fc.property(wishes, ({ members, joiners }) => {
        const last = settle(members, joiners, 120);
        const [before, after] = [last.at(-2), last.at(-1)] as [ValidatorSet, ValidatorSet];
        expect(after.hash).toEqual(before.hash);
        const weights = weightsOf(after);
        const staying = [...members.filter(({ fate }) => fate === "stays"), ...joiners];
        const leavers = members.filter(({ fate }) => fate !== "stays");
        if (staying.length >= 4) expect(leavers.filter(({ id: [at] }) => weights[at ?? 0] !== undefined)).toEqual([]);
        for (const {
          id: [at],
          stake,
        } of staying) {
          const weight = weights[at ?? 0] ?? 0n;
          const isCapped = 3n * (weight + 1n) >= after.totalWeight - BigInt(after.validators.length);
          expect(weight === stake || isCapped).toBe(true);
        }
      }),
      { numRuns: 25 },
    );
  });
});
