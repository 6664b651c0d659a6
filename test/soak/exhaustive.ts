import { BROKEN_RULES, describeSearch, searchApart } from "../exhaustive/broken-rules.ts";
import { ALL_SCOPES } from "../exhaustive/scope.ts";
import type { Soak } from "./soak.ts";

/** Every state of small worlds of consensus, the rules as they are and broken ones. */
export const exhaustiveSoak: Soak = {
  name: "exhaustive",
  summary: "all interleavings of small worlds of consensus: [--states N] at most in each",
  options: { states: { type: "string" } },
  run: async (_place, { states = 20_000_000 }) => {
    const faults: string[] = [];
    for (const { name } of ALL_SCOPES) {
      const result = await searchApart(name, states);
      console.log(describeSearch(result));
      if (result.violation) faults.push(`${name}: ${result.violation.property} by ${result.violation.way.join("; ")}`);
    }
    for (const { mutant, scope, property } of BROKEN_RULES) {
      const result = await searchApart(scope, states, mutant);
      console.log(describeSearch(result, mutant));
      if (!result.violation?.property.startsWith(`${property}:`)) faults.push(`${mutant} is not found unsafe in the scope ${scope}`);
    }
    return faults;
  },
};
