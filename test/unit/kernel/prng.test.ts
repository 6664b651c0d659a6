import { describe, expect, test } from "bun:test";
import { Prng } from "../../../src/kernel/index.ts";

const take = (seed: number, count: number): number[] => {
  const prng = new Prng(seed);
  return Array.from({ length: count }, () => prng.uint32());
};

describe("prng", () => {
  test("prng: seed 42, the pinned sequence (a simulation seed keeps its meaning)", () => {
    expect(take(42, 4)).toEqual([3893884377, 145076852, 3246010591, 4141225530]);
  });

  test("prng: equal seeds, equal sequences; seeds that differ in one bit, low or high, different ones", () => {
    expect(take(7, 50)).toEqual(take(7, 50));
    for (const other of [6, 8, 7 + 2 ** 32, 7 + 2 ** 52, -7]) expect(take(other, 4)).not.toEqual(take(7, 4));
  });

  test("prng: below and chance, inside their bounds and near their mean", () => {
    const prng = new Prng(1);
    let sum = 0;
    let hits = 0;
    for (let i = 0; i < 20_000; i++) {
      const drawn = prng.below(10);
      expect(Number.isInteger(drawn) && drawn >= 0 && drawn < 10).toBe(true);
      sum += drawn;
      if (prng.chance(0.25)) hits++;
    }
    expect(Math.abs(sum / 20_000 - 4.5)).toBeLessThan(0.1);
    expect(Math.abs(hits / 20_000 - 0.25)).toBeLessThan(0.02);
    expect(prng.chance(0)).toBe(false);
    expect(prng.chance(1)).toBe(true);
  });

  test("prng: bytes, the count asked for and every value reached", () => {
    const drawn = new Prng(3).bytes(8192);
    expect(drawn.length).toBe(8192);
    expect(new Set(drawn).size).toBe(256);
    expect(new Prng(3).bytes(0).length).toBe(0);
  });
});
