import type { DrMutant } from "./mutants.ts";
import type { DrOutcome } from "./outcome.ts";
import { DrWorld } from "./world.ts";

/** Steps of a schedule. */
const STEPS = 400;
/** Every so many seeds the schedule runs a second time, with most keys changing after every so many steps. */
const RESTAFFED_SEEDS = 2;
const RESTAFF_EVERY = 20;

/** Whether what goes wrong is left to chance, or also aimed at boundaries at which most keys change. */
export type DrPlan = "random" | "restaffed";

/** Sums over schedules. */
export type DrFigures = {
  runs: number;
  signatures: number;
  restores: number;
  rotations: number;
  crashes: number;
  copies: number;
  moves: number;
  rollbacks: number;
  restaffings: number;
  /** What was found, each with its seed. */
  readonly findings: string[];
};

/** Runs one schedule of disaster and recovery; equal seeds give equal schedules. */
export function runSchedule(seed: number, mutant?: DrMutant, plan: DrPlan = "random"): DrOutcome {
  return new DrWorld(seed, mutant).run(STEPS, plan === "restaffed" ? RESTAFF_EVERY : undefined);
}

/** Runs the schedules of seeds from one on, every second also as a restaffed one. */
export function runSchedules(firstSeed: number, runs: number, onRun: (figures: DrFigures) => void = () => {}): DrFigures {
  const sums = { runs: 0, signatures: 0, restores: 0, rotations: 0, crashes: 0, copies: 0, moves: 0, rollbacks: 0, restaffings: 0 };
  const figures: DrFigures = { ...sums, findings: [] };
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    enter(figures, `seed ${seed}`, runSchedule(seed));
    if (seed % RESTAFFED_SEEDS === 0) enter(figures, `seed ${seed}, restaffed`, runSchedule(seed, undefined, "restaffed"));
    figures.runs++;
    onRun(figures);
  }
  return figures;
}

function enter(figures: DrFigures, name: string, outcome: DrOutcome): void {
  for (const sum of ["signatures", "restores", "rotations", "crashes", "copies", "moves", "rollbacks", "restaffings"] as const) {
    figures[sum] += outcome[sum];
  }
  for (const finding of outcome.findings) figures.findings.push(`${name}: ${finding}`);
  if (!outcome.isLive) figures.findings.push(`${name}: the chain stands still after everything has healed`);
}

/** First seed of some that a mutant is convicted by; undefined when it survives them. One needs schedules that aim. */
export function convictedBy(mutant: DrMutant, seeds: number): number | undefined {
  const plan: DrPlan = mutant === "carriesGate" ? "restaffed" : "random";
  for (let seed = 1; seed <= seeds; seed++) if (runSchedule(seed, mutant, plan).findings.length > 0) return seed;
  return undefined;
}
