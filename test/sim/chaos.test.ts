import { expect, test } from "bun:test";
import { runChaos } from "./chaos.ts";
import { FAULTS } from "./faults.ts";
import { livenessTable } from "./liveness-table.ts";
import { PLAN_SPECS, PLANS, type PlanSpec } from "./plans.ts";
import { REGRESSIONS } from "./regressions.ts";
import { addVerdict, judgeSeed, noFigures, runSeeds } from "./runner.ts";
import { TREASONS } from "./saboteur.ts";

/** A busy machine is slow, not wrong. */
const SLOW_MS = 120_000;

for (const plan of PLANS) {
  test(
    `simulation: two networks under the plan ${plan}, agree, move on and run again alike`,
    () => {
      for (const seed of [7, 8]) {
        const { findings, notLive } = judgeSeed(seed, plan, true);
        expect([seed, findings, notLive]).toEqual([seed, [], []]);
      }
    },
    SLOW_MS,
  );
}

test(
  "simulation: seeds that once found something, find nothing",
  () => {
    for (const { seed, plan, found } of REGRESSIONS) {
      const { findings, notLive } = judgeSeed(seed, plan);
      expect([seed, plan, found, findings, notLive]).toEqual([seed, plan, found, [], []]);
    }
  },
  SLOW_MS,
);

test("simulation: faults that have a name, each is in some plan", () => {
  const planned = new Set(PLANS.flatMap((plan) => [...PLAN_SPECS[plan].always, ...((PLAN_SPECS[plan] as PlanSpec).some ?? [])]));
  expect(Object.keys(FAULTS).filter((name) => !planned.has(name as keyof typeof FAULTS))).toEqual([]);
  expect(TREASONS.length).toBe(13);
});

test(
  "simulation: traitors, are convicted",
  () => {
    const convictions = [1, 2, 3, 4].map((seed) => runChaos(seed, "equivocators").convictions);
    expect(convictions.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  },
  SLOW_MS,
);

test(
  "simulation: directed faults, strike boxes that alone hold a certificate",
  () => {
    const hits = Array.from({ length: 12 }, (_, seed) => runChaos(seed, "loneHolders").directedHits);
    expect(hits.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
  },
  SLOW_MS,
);

test(
  "simulation: a range shared by two, gives each seed once and the same verdicts",
  () => {
    const whole = [...runSeeds({ firstSeed: 40, runs: 4 })];
    const halves = [0, 1].flatMap((part) => [...runSeeds({ firstSeed: 40, runs: 4, share: { part, of: 2 } })]);
    expect(halves.sort((a, b) => a.seed - b.seed)).toEqual(whole);
    const figures = whole.reduce(addVerdict, noFigures(40));
    expect([figures.seed, figures.runs, figures.violations, figures.notLive]).toEqual([40, 4, 0, 0]);
  },
  SLOW_MS,
);

test(
  "simulation: with F silent boxes, blocks come within twice the interval of all once their leaders are skipped",
  () => {
    for (const { boxes, silent, ratio } of livenessTable([4, 7])) expect([boxes, silent, ratio <= 2]).toEqual([boxes, silent, true]);
  },
  SLOW_MS,
);
