/**
 * One mutant (or none) under one plan, seed after seed until something is found: `bun --preload ./preload.ts trial.ts
 * PLAN FIRST_SEED SEEDS LIMIT_MS`, with SIM_MUTANT and SIM_PLAN in the environment. Prints one line of JSON.
 */
import { type PlanName, runTrial } from "./plans.ts";

const [plan = "", first = "1", count = "1", limitMs = "60000"] = process.argv.slice(2);
const startedMs = performance.now();
let tried = 0;
let found: readonly string[] = [];
while (tried < Number(count) && found.length === 0 && performance.now() - startedMs < Number(limitMs)) {
  found = runTrial(plan as PlanName, Number(first) + tried).findings;
  tried++;
}
console.log(
  JSON.stringify({ tried, seed: Number(first) + tried - 1, finding: found[0] ?? null, ms: Math.round(performance.now() - startedMs) }),
);
