import { join } from "node:path";
import type { Mutant } from "./mutant.ts";
import type { PlanName } from "./plans.ts";

/** How far to look. */
export type MutantSearch = {
  /** Seeds a mutant is given before it counts as not caught. */
  readonly seedsMax: number;
  /** Seeds of each plan that the code as it is must pass. */
  readonly controlSeeds: number;
  /** Milliseconds that one mutant, or one plan without, may take. */
  readonly limitMs: number;
};

/** What became of one mutant. */
export type MutantResult = {
  readonly mutant: Mutant;
  /** Seeds run, the catching one included. */
  readonly tried: number;
  /** The seed that caught it. */
  readonly seed: number;
  /** What was found first; undefined when nothing was. */
  readonly finding: string | undefined;
};

/** What the code as it is came to under one plan. */
export type ControlResult = { readonly plan: PlanName; readonly seeds: number; readonly finding: string | undefined };

type TrialLine = { readonly tried: number; readonly seed: number; readonly finding: string | null };

/** Looks for a mutant under its plan, in a process of its own. */
export async function searchMutant(mutant: Mutant, search: MutantSearch): Promise<MutantResult> {
  const line = await runTrials(mutant.plan, search.seedsMax, search.limitMs, mutant.name);
  return { mutant, tried: line.tried, seed: line.seed, finding: line.finding ?? undefined };
}

/** Runs the code as it is under a plan: whatever is found there makes the plan's catches worthless. */
export async function searchControl(plan: PlanName, search: MutantSearch): Promise<ControlResult> {
  const line = await runTrials(plan, search.controlSeeds, search.limitMs);
  return { plan, seeds: line.tried, finding: line.finding ?? undefined };
}

/** Whether a mutant was caught by a property that it is expected to break. */
export function isCaught({ mutant, finding }: MutantResult): boolean {
  return finding !== undefined && mutant.expected.some((property) => finding.startsWith(`${property}:`));
}

/** The table's line of a mutant: name, rule, plan, seeds until caught, what was found. */
export function describeMutant(result: MutantResult): string {
  const { mutant, tried, finding } = result;
  const verdict = isCaught(result) ? finding : finding === undefined ? "NOT CAUGHT" : `NOT AS EXPECTED: ${finding}`;
  return lineOf(mutant.name, mutant.rule, mutant.plan, tried, verdict ?? "");
}

/** The table's line of a plan without a mutant. */
export function describeControl({ plan, seeds, finding }: ControlResult): string {
  return lineOf("(none)", "", plan, seeds, finding ?? "nothing found");
}

function lineOf(name: string, rule: string, plan: string, seeds: number, verdict: string): string {
  return `${name.padEnd(58)} ${rule.padEnd(6)} ${plan.padEnd(14)} ${String(seeds).padStart(5)} seeds  ${verdict}`.slice(0, 220);
}

async function runTrials(plan: PlanName, seeds: number, limitMs: number, mutant?: string): Promise<TrialLine> {
  const here = import.meta.dir;
  const child = Bun.spawn(
    [process.execPath, "--preload", join(here, "preload.ts"), join(here, "trial.ts"), plan, "1", String(seeds), String(limitMs)],
    {
      env: { ...process.env, SIM_PLAN: plan, SIM_MUTANT: mutant ?? "" },
      stdout: "pipe",
      stderr: "pipe",
      timeout: limitMs + 30_000,
    },
  );
  const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  const last = output.trim().split("\n").at(-1) ?? "";
  if ((await child.exited) !== 0 || !last.startsWith("{"))
    throw new Error(`the trial of ${mutant ?? "nothing"} under ${plan} broke: ${errors.slice(0, 2_000)}`);
  return JSON.parse(last);
}
