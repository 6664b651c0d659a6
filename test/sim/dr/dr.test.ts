import { expect, test } from "bun:test";
import { runSchedule, runSchedules } from "./schedules.ts";
import type { DrMutant } from "./world.ts";

test("dr: crashes, losses, restores from any backup, late fences, twins and jumping clocks, no key contradicts itself and the chain moves", () => {
  const figures = runSchedules(1, 300);
  expect(figures.findings).toEqual([]);
  expect([figures.signatures > 10_000, figures.restores > 300, figures.rotations > 200, figures.crashes > 3_000]).toEqual([
    true,
    true,
    true,
    true,
  ]);
}, 60_000);

test("dr: a schedule run twice, comes to the same", () => {
  expect(runSchedule(77)).toEqual(runSchedule(77));
});

/** First seed of some that a mutant is convicted by. */
function convictedBy(mutant: DrMutant): number | undefined {
  for (let seed = 1; seed <= 400; seed++) if (runSchedule(seed, mutant).findings.length > 0) return seed;
  return undefined;
}

test.each<DrMutant>(["restoresJournal", "signsBeforeSync", "lowGate", "twinsServed"])(
  "dr: a program that breaks the rule %s, is convicted",
  (mutant) => {
    expect(convictedBy(mutant)).toBeDefined();
  },
  60_000,
);
