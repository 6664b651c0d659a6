import { expect, test } from "bun:test";
import { Prng } from "../../../../src/kernel/index.ts";
import { planRetention } from "../../../../sync/restore/index.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const NOW_MS = 1_700_000_000_000;

test("retention: a backup each ten minutes for ten days, keeps the last hour, 24 hours and 7 days", () => {
  const times = Array.from({ length: 10 * 24 * 6 }, (_, i) => NOW_MS - i * 10 * MINUTE_MS);
  const gone = new Set(planRetention(times));
  const kept = times.filter((time) => !gone.has(time));
  expect(kept.filter((time) => NOW_MS - time < HOUR_MS).length).toBe(6);
  expect(new Set(kept.map((time) => Math.floor(time / HOUR_MS))).size).toBeGreaterThanOrEqual(24);
  expect(new Set(kept.map((time) => Math.floor(time / (24 * HOUR_MS)))).size).toBe(7);
  expect(kept.length).toBeLessThan(6 + 24 + 7);
});

test("retention: any times in any order, keeps the newest and is settled after one pass", () => {
  const prng = new Prng(8);
  for (let round = 0; round < 300; round++) {
    const times = Array.from({ length: 1 + prng.below(60) }, () => NOW_MS + prng.below(20 * 24) * HOUR_MS + prng.below(HOUR_MS));
    const gone = new Set(planRetention(times));
    const kept = times.filter((time) => !gone.has(time));
    expect(kept).toContain(Math.max(...times));
    expect(planRetention(kept)).toEqual([]);
  }
  expect(planRetention([])).toEqual([]);
});
