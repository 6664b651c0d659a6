import { expect, test } from "bun:test";
import { PLANS, runChaos } from "./chaos.ts";

/** A busy machine is slow, not wrong. */
const SLOW_MS = 120_000;

for (const plan of PLANS) {
  test(
    `simulation: five networks under the plan ${plan}, agree and move on`,
    () => {
      for (let seed = 1; seed <= 5; seed++) {
        const outcome = runChaos(seed * PLANS.length, plan);
        expect([outcome.seed, outcome.findings, outcome.isLive]).toEqual([outcome.seed, [], true]);
      }
    },
    SLOW_MS,
  );
}

test(
  "simulation: one seed run twice, gives the same trace",
  () => {
    for (const plan of PLANS) expect(runChaos(31, plan)).toEqual(runChaos(31, plan));
  },
  SLOW_MS,
);

test(
  "simulation: traitors, are convicted",
  () => {
    expect(runChaos(6, "traitors").convictions).toBeGreaterThan(0);
  },
  SLOW_MS,
);

test(
  "simulation: seeds that once stood still after two recoveries in one epoch, move on",
  () => {
    for (const seed of [10_432, 10_512, 10_672]) expect([seed, runChaos(seed, "wipes").isLive]).toEqual([seed, true]);
  },
  SLOW_MS,
);
