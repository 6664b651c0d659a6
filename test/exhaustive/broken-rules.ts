import { join } from "node:path";
import type { SearchResult } from "./search.ts";

/** Broken rules (test/sim/mutants) by the scope that finds each unsafe, with the property that breaks. */
export const BROKEN_RULES: readonly { readonly mutant: string; readonly scope: string; readonly property: "S1" | "S2" | "S4" }[] = [
  { mutant: "no NULLIFY/FINALIZE exclusion", scope: "two views, two proposals", property: "S4" },
  { mutant: "FINALIZE for another proposal than the one notarized", scope: "two views, two proposals", property: "S2" },
  { mutant: "ancestry gap not checked", scope: "two views, two proposals", property: "S1" },
  { mutant: "boundary built afresh without proof", scope: "boundary block first", property: "S1" },
  { mutant: "a boundary block is followed like any other", scope: "boundary block, next epoch", property: "S1" },
  { mutant: "gate V+1", scope: "lost journal", property: "S2" },
  { mutant: "gate V+2", scope: "lost journal", property: "S2" },
  { mutant: "no gate in the next epoch", scope: "lost journal, two epochs", property: "S2" },
  { mutant: "gate ends with any commit", scope: "lost journal, end of the gate", property: "S2" },
  { mutant: "gate ends a view early", scope: "lost journal, end of the gate", property: "S2" },
];

/** Searches a scope in a process of its own, with a mutant's patches or the code as it is. */
export async function searchApart(scope: string, statesMax: number, mutant = ""): Promise<SearchResult> {
  const preload = join(import.meta.dir, "..", "sim", "mutants", "preload.ts");
  const child = Bun.spawn([process.execPath, "--preload", preload, join(import.meta.dir, "run.ts"), scope, String(statesMax)], {
    env: { ...process.env, SIM_MUTANT: mutant },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`the search of ${scope} broke: ${errors.slice(0, 2_000)}`);
  return JSON.parse(output);
}

/** What a search came to, in a line. */
export function describeSearch(result: SearchResult, mutant = "(the rules as they are)"): string {
  const verdict = result.violation?.property ?? (result.isComplete ? "nothing broken, all seen" : "nothing broken so far, NOT all seen");
  const figures = `${result.states} states, ${result.moves} moves, depth ${result.depth}, ${result.judged} judged by the core`;
  return `${result.scope.padEnd(38)} ${mutant.padEnd(54)} ${figures}: ${verdict}`;
}
