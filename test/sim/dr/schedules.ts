import { type DrMutant, type DrOutcome, DrWorld } from "./world.ts";

/** Steps of a schedule. */
const STEPS = 400;

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
  /** What was found, each with its seed. */
  readonly findings: string[];
};

/** Runs one schedule of disaster and recovery; equal seeds give equal schedules. */
export function runSchedule(seed: number, mutant?: DrMutant): DrOutcome {
  return new DrWorld(seed, mutant).run(STEPS);
}

/** Runs schedules of seeds from one on. */
export function runSchedules(firstSeed: number, runs: number, onRun: (figures: DrFigures) => void = () => {}): DrFigures {
  const sums = { runs: 0, signatures: 0, restores: 0, rotations: 0, crashes: 0, copies: 0, moves: 0, rollbacks: 0 };
  const figures: DrFigures = { ...sums, findings: [] };
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const outcome = runSchedule(seed);
    figures.runs++;
    for (const name of ["signatures", "restores", "rotations", "crashes", "copies", "moves", "rollbacks"] as const) {
      figures[name] += outcome[name];
    }
    for (const finding of outcome.findings) figures.findings.push(`seed ${seed}: ${finding}`);
    if (!outcome.isLive) figures.findings.push(`seed ${seed}: the chain stands still after everything has healed`);
    onRun(figures);
  }
  return figures;
}

/** First seed of some that a mutant is convicted by; undefined when it survives them. */
export function convictedBy(mutant: DrMutant, seeds: number): number | undefined {
  for (let seed = 1; seed <= seeds; seed++) if (runSchedule(seed, mutant).findings.length > 0) return seed;
  return undefined;
}
