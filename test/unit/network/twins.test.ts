import { expect, test } from "bun:test";
import { Twins } from "../../../src/network/twins.ts";

test("twins: a box that restarts again and again, never taken for two", () => {
  const twins = new Twins();
  for (let start = 1; start < 20; start++) expect(twins.meet("p", `i${start}`, `i${start - 1}`, start * 1_000)).toBeUndefined();
});

test("twins: a box that comes back after another took its place, the first one is kept from then on", () => {
  const twins = new Twins();
  expect(twins.meet("p", "b", "a", 0)).toBeUndefined();
  expect(twins.meet("p", "a", "b", 250)).toBe("fresh");
  expect(twins.meet("p", "b", "a", 30_000)).toBe("standing");
  expect(twins.meet("p", "b", "a", 60_000)).toBe("standing");
  expect(twins.meet("q", "b", "a", 60_000)).toBeUndefined();
});

test("twins: long after the other was last heard of, forgotten", () => {
  const twins = new Twins();
  twins.meet("p", "b", "a", 0);
  expect(twins.meet("p", "a", "b", 700_000)).toBeUndefined();
});
