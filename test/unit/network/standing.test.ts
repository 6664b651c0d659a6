import { expect, test } from "bun:test";
import { Standing } from "../../../src/network/standing.ts";

test("standing: two messages of garbage, a ban of half a minute; one of them forgotten, none", () => {
  const quick = new Standing();
  expect(quick.penalize("p", "garbage", true, 0)).toBe(false);
  expect(quick.penalize("p", "garbage", true, 1_000)).toBe(true);
  expect(quick.banLeftMs("p", 1_000)).toBe(30_000);
  expect(quick.banLeftMs("p", 31_000)).toBe(0);
  const slow = new Standing();
  slow.penalize("p", "garbage", true, 0);
  expect(slow.penalize("p", "garbage", true, 3_600_000)).toBe(false);
  expect(slow.pointsOf("p", 3_600_000)).toBeLessThan(62);
});

test("standing: what consensus refused, counts in the same score; two lies ban, blocks nobody asked for take ten", () => {
  const liar = new Standing();
  expect(liar.penalize("p", "badSignature", true, 0)).toBe(false);
  expect(liar.penalize("p", "badBlock", true, 1_000)).toBe(true);
  const pushing = new Standing();
  let count = 1;
  while (!pushing.penalize("p", "unsolicited", false, count * 1_000)) count++;
  expect(count).toBe(11);
  const mixed = new Standing();
  mixed.penalize("p", "garbage", false, 0);
  expect(mixed.penalize("p", "notItsSigner", false, 0)).toBe(true);
});

test("standing: ban upon ban, each twice as long up to a cap that is low for a validator", () => {
  const standing = new Standing();
  const lengths = { validator: [] as number[], other: [] as number[] };
  for (const kind of ["validator", "other"] as const) {
    for (let ban = 0, nowMs = 0; ban < 9; ban++) {
      standing.penalize(kind, "oversized", kind === "validator", nowMs);
      lengths[kind].push(standing.banLeftMs(kind, nowMs) / 1_000);
      nowMs += standing.banLeftMs(kind, nowMs);
    }
  }
  expect(lengths.validator).toEqual([30, 60, 120, 240, 300, 300, 300, 300, 300]);
  expect(lengths.other).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
});

test("standing: a day without a ban, the next is short again", () => {
  const standing = new Standing();
  for (let i = 0; i < 5; i++) standing.penalize("p", "oversized", false, 0);
  standing.penalize("p", "oversized", false, 86_400_000);
  expect(standing.banLeftMs("p", 86_400_000)).toBe(30_000);
});

test("standing: more keys than are remembered, the oldest are forgotten", () => {
  const standing = new Standing();
  for (let i = 0; i < 5_000; i++) standing.penalize(String(i), "oversized", false, i);
  expect(standing.size).toBe(4_096);
  expect(standing.banLeftMs("4999", 5_000)).toBeGreaterThan(0);
  expect(standing.banLeftMs("0", 5_000)).toBe(0);
});
