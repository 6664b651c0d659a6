import { expect, test } from "bun:test";
import { mutants } from "./catalogue.ts";
import { isCaught, searchControl, searchMutant } from "./table.ts";

/** A short share of `npm run soak -- mutants`: as many seeds as the slowest mutant takes, three times. */
const SEARCH = { seedsMax: 120, controlSeeds: 4, limitMs: 30_000 };
const SLOW_MS = 90_000;

for (const mutant of mutants) {
  test(
    `mutants: ${mutant.name}, is caught`,
    async () => {
      const result = await searchMutant(mutant, SEARCH);
      expect([result.finding, isCaught(result)]).toEqual([result.finding, true]);
    },
    SLOW_MS,
  );
}

for (const plan of new Set(mutants.map((mutant) => mutant.plan))) {
  test(
    `mutants: the code as it is under the plan ${plan}, passes`,
    async () => {
      expect(await searchControl(plan, SEARCH)).toEqual({ plan, seeds: SEARCH.controlSeeds, finding: undefined });
    },
    SLOW_MS,
  );
}
