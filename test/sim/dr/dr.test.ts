import { expect, test } from "bun:test";
import { DR_MUTANT_NAMES, DR_MUTANTS, type DrMutant } from "./mutants.ts";
import { convictedBy, runSchedule, runSchedules } from "./schedules.ts";

test("dr: crashes, losses, restores from any backup, late fences, copies, moves, old images and jumping clocks, no key contradicts itself and the chain moves", () => {
  const figures = runSchedules(1, 120);
  expect(figures.findings).toEqual([]);
  const { signatures, restores, rotations, crashes, copies, moves, rollbacks, restaffings } = figures;
  expect([signatures > 4_000, restores > 200, rotations > 150, crashes > 1_000]).toEqual([true, true, true, true]);
  expect([copies > 100, moves > 6, rollbacks > 40, restaffings > 5]).toEqual([true, true, true, true]);
}, 120_000);

test("dr: a schedule run twice, comes to the same", () => {
  expect(runSchedule(77)).toEqual(runSchedule(77));
});

test("dr: two keys changed at one boundary and a third box forgot, as a schedule of chance once found, no key contradicts itself", () => {
  expect(runSchedule(1_020_265)).toMatchObject({ findings: [], isLive: true });
});

test("dr: a gate has ended and then power goes, the box does not begin again below what the gate barred", () => {
  expect(runSchedule(1_013_856, undefined, "restaffed")).toMatchObject({ findings: [], isLive: true });
});

test("dr: the table of mutants, names each of them", () => {
  expect(DR_MUTANT_NAMES.map(String).sort()).toEqual(Object.keys(DR_MUTANTS).sort());
});

test.each<DrMutant>([...DR_MUTANT_NAMES])(
  "dr: a program that breaks the rule %s, is convicted",
  (mutant) => {
    expect(convictedBy(mutant, 400)).toBeDefined();
  },
  240_000,
);
