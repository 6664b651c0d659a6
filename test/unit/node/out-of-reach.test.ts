import { describe, expect, test } from "bun:test";
import { isLackBelieved, OutOfReach } from "../../../src/node/out-of-reach.ts";

const word = (lowestHeight: number | undefined, isValidator = false, isNamed = false) => ({ lowestHeight, isValidator, isNamed });

describe("node: a chain that nobody brings forward", () => {
  test("out of reach: half a minute without a break, then it is given up; a block between begins anew", () => {
    const reach = new OutOfReach();
    for (let ms = 0; ms < 30_000; ms += 8_000) expect(reach.note(ms, true)).toBe(false);
    expect(reach.note(32_000, true)).toBe(true);
    reach.end();
    expect(reach.note(33_000, true)).toBe(false);
  });

  test("out of reach: records that an aggregator has yet to take, hold it back for ten minutes at most", () => {
    const reach = new OutOfReach();
    for (let ms = 0; ms < 600_000; ms += 8_000) expect(reach.note(ms, true, true)).toBe(false);
    expect(reach.note(600_000, true, true)).toBe(true);
    const taken = new OutOfReach();
    for (let ms = 0; ms <= 40_000; ms += 8_000) expect(taken.note(ms, true, true)).toBe(false);
    expect(taken.note(48_000, true, false)).toBe(true);
  });

  test("out of reach: two moments a day apart, or one in which only strangers say so, are no time", () => {
    const reach = new OutOfReach();
    expect(reach.note(0, true)).toBe(false);
    expect(reach.note(86_400_000, true)).toBe(false);
    expect(reach.note(86_410_000, false)).toBe(false);
    expect(reach.note(86_420_000, true)).toBe(false);
    expect(reach.note(86_431_000, true)).toBe(false);
  });

  test("out of reach: the word of a validator or of a named peer counts, a stranger's or none does not", () => {
    expect(isLackBelieved([word(9_999)], 5)).toBe(false);
    expect(isLackBelieved([], 5)).toBe(false);
    expect(isLackBelieved([word(undefined, true), word(5, true)], 5)).toBe(false);
    expect(isLackBelieved([word(6, true)], 5)).toBe(true);
    expect(isLackBelieved([word(6, false, true), word(9_999)], 5)).toBe(true);
  });
});
