/**
 * One scope of the exhaustive search: `bun --preload ../sim/mutants/preload.ts run.ts SCOPE STATES_MAX`, with SIM_MUTANT
 * in the environment for a broken rule. Prints one line of JSON.
 */
import { ALL_SCOPES } from "./scope.ts";
import { searchScope } from "./search.ts";

const [name = "", statesMax = "1000000"] = process.argv.slice(2);
const scope = ALL_SCOPES.find((each) => each.name === name);
if (!scope) throw new Error(`there is no scope ${name}`);
console.log(JSON.stringify(searchScope(scope, Number(statesMax))));
