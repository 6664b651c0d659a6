import { mutants } from "../sim/mutants/catalogue.ts";
import { describeControl, describeMutant, isCaught, searchControl, searchMutant } from "../sim/mutants/table.ts";
import type { Soak } from "./soak.ts";

/** Every mutant of the consensus under its plan, until the simulator catches it, and the code as it is under the same plans. */
export const mutantsSoak: Soak = {
  name: "mutants",
  summary: "broken rules that the simulator must catch: [--seeds N] [--control N] [--limit SECONDS for each]",
  options: { seeds: { type: "string" }, control: { type: "string" }, limit: { type: "string" } },
  run: async (_place, numbers) => {
    const { seeds: seedsMax = 2_000, control: controlSeeds = 200, limit = 600 } = numbers;
    const search = { seedsMax, controlSeeds, limitMs: 1_000 * limit };
    const faults: string[] = [];
    for (const mutant of mutants) {
      const result = await searchMutant(mutant, search);
      console.log(describeMutant(result));
      if (!isCaught(result)) faults.push(`${mutant.name} is not caught in ${result.tried} seeds`);
    }
    for (const plan of new Set(mutants.map((mutant) => mutant.plan))) {
      const result = await searchControl(plan, search);
      console.log(describeControl(result));
      if (result.finding !== undefined) faults.push(`without a mutant, ${plan} finds ${result.finding}`);
    }
    return faults;
  },
};
