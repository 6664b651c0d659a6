import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { leaderBySlots, leaderCycleOf, makeValidatorSet, type ValidatorSet } from "../../../src/protocol/index.ts";

const key = (at: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? at : 7));

/** Members in index order with these weights, and reputations, full where none is given. */
function setWith(weights: readonly bigint[], reputations: readonly number[] = []): ValidatorSet {
  const members = weights.map((weight, at) => ({ publicKey: key(at), owner: key(at), weight, reputation: reputations[at] ?? 10_000 }));
  const set = makeValidatorSet(members);
  if (!set.ok) throw new RangeError(set.error);
  return set.value;
}

const countsOf = (set: ValidatorSet): number[] => {
  const counts = set.validators.map(() => 0);
  for (const leader of leaderCycleOf(set)) counts[leader] = (counts[leader] ?? 0) + 1;
  return counts;
};

/** Sets of 4 to 128 members whose weights differ by up to a thousand and none of which exceeds F. */
const lawfulSets = fc
  .array(fc.record({ weight: fc.bigInt(1n, 1_000n), reputation: fc.nat(10_000) }), { minLength: 4, maxLength: 128 })
  .map((members) => {
    const sum = members.reduce((total, { weight }) => total + weight, 0n);
    const capped = members.map(({ weight }) => (4n * weight > sum ? sum / 4n : weight) + sum);
    return setWith(
      capped,
      members.map(({ reputation }) => reputation),
    );
  });

describe("leader schedule", () => {
  test("leaders: equal members, plain rotation that starts one further on each epoch", () => {
    for (const count of [1, 4, 7, 128]) {
      const set = setWith(Array.from({ length: count }, () => 10n));
      expect(leaderCycleOf(set)).toEqual(Array.from({ length: count }, (_, i) => i));
      for (const [epoch, view] of [
        [0, 1],
        [3, 1],
        [5, 1_000],
      ] as const) {
        expect(leaderBySlots(set, epoch, view)).toBe((epoch + view) % count);
      }
    }
  });

  test("leaders: equal members of equal but low standing, plain rotation all the same", () => {
    expect(leaderCycleOf(setWith([5n, 5n, 5n, 5n], [0, 0, 0, 0]))).toEqual([0, 1, 2, 3]);
  });

  test("leaders: weights 3, 2, 2, 2 and 1, slots in exactly that proportion, spread", () => {
    const set = setWith([3n, 2n, 2n, 2n, 1n]);
    expect(leaderCycleOf(set)).toEqual([0, 1, 2, 3, 0, 1, 0, 2, 3, 4]);
    expect(leaderCycleOf(setWith([1n, 1n, 1n, 1n, 2n, 2n])).slice(0, 8)).toEqual([4, 5, 0, 4, 5, 1, 2, 3]);
  });

  test("leaders: no standing left, half as often as another of that weight", () => {
    const counts = countsOf(setWith([8n, 8n, 8n, 8n], [0, 10_000, 10_000, 10_000]));
    expect(counts).toEqual([37, 73, 73, 73]);
  });

  test("leaders: a weight next to nothing, one slot a cycle", () => {
    const counts = countsOf(setWith([10n ** 18n, 10n ** 18n, 10n ** 18n, 10n ** 18n, 1n], [0, 0, 0, 0, 0]));
    expect(counts).toEqual([65, 65, 65, 65, 1]);
  });

  test("leaders: any set, counts are the shares to within one slot and nobody is left out", () => {
    fc.assert(
      fc.property(lawfulSets, (set) => {
        const shares = set.validators.map(({ weight, reputation }) => weight * BigInt(10_000 + reputation));
        const total = shares.reduce((sum, share) => sum + share, 0n);
        const counts = countsOf(set);
        const length = counts.length * Math.max(16, Math.ceil(256 / counts.length));
        const isReduced = leaderCycleOf(set).length < length;
        for (const [at, count] of counts.entries()) {
          expect(count).toBeGreaterThanOrEqual(1);
          if (isReduced) continue; // the same shares in smaller numbers
          const exact = Number((shares[at] ?? 0n) * BigInt(length) * 1_000n) / Number(total * 1_000n);
          expect(Math.abs(count - exact)).toBeLessThan(exact < 1 ? 1.001 : 1.000_001);
        }
      }),
      { numRuns: 40 },
    );
  });

  test("leaders: any set, every prefix of the cycle holds each member's share to within one", () => {
    fc.assert(
      fc.property(lawfulSets, (set) => {
        const cycle = leaderCycleOf(set);
        const counts = countsOf(set);
        const seen = counts.map(() => 0);
        for (const [at, leader] of cycle.entries()) {
          seen[leader] = (seen[leader] ?? 0) + 1;
          const exact = ((at + 1) * (counts[leader] ?? 0)) / cycle.length;
          expect(Math.abs((seen[leader] ?? 0) - exact)).toBeLessThan(1);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("leaders: any set, no member waits for two of its turns", () => {
    fc.assert(
      fc.property(lawfulSets, (set) => {
        const cycle = leaderCycleOf(set);
        const counts = countsOf(set);
        const last = new Map<number, number>();
        for (const [at, leader] of [...cycle, ...cycle].entries()) {
          const gap = at - (last.get(leader) ?? at);
          expect(gap).toBeLessThan((2 * cycle.length) / (counts[leader] ?? 1));
          last.set(leader, at);
        }
      }),
      { numRuns: 30 },
    );
  });

  test("leaders: 128 members of all weights, a cycle within its bound, made once", () => {
    const set = setWith(Array.from({ length: 128 }, (_, at) => 1_000n + 37n * BigInt(at)));
    const cycle = leaderCycleOf(set);
    expect(cycle.length).toBeLessThanOrEqual(2_176);
    expect(leaderCycleOf(set)).toBe(cycle);
    const again = setWith(set.validators.map(({ weight }) => weight));
    expect(leaderCycleOf(again)).toEqual(cycle);
  });
});
