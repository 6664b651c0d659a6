import { DR_MUTANT_NAMES, DR_MUTANTS } from "../sim/dr/mutants.ts";
import { convictedBy, runSchedules } from "../sim/dr/schedules.ts";
import type { Soak } from "./soak.ts";

const TELL_EVERY = 5_000;
/** Schedules in which a program that breaks a rule is looked for. */
const MUTANT_SEEDS = 400;

/** Schedules of disaster and recovery by the hundred thousand, after a table of the mutants that the judge convicts. */
export const drSoak: Soak = {
  name: "dr",
  summary:
    "convicts each mutant, then runs 100,000 schedules of crashes, losses, restores, copies, moves and late fences (--seed N to go on from there, --runs N)",
  options: { seed: { type: "string" }, runs: { type: "string" } },
  run: async (_place, { seed = 1_000_000, runs = 100_000 }) => {
    const survivors: string[] = [];
    for (const mutant of DR_MUTANT_NAMES) {
      const convicted = convictedBy(mutant, MUTANT_SEEDS);
      console.log(
        `dr: mutant ${mutant.padEnd(18)} ${convicted ? `seed ${String(convicted).padStart(3)}` : "SURVIVES"}  ${DR_MUTANTS[mutant]}`,
      );
      if (!convicted) survivors.push(`mutant ${mutant} survives ${MUTANT_SEEDS} schedules`);
    }
    let told = 0;
    const { findings } = runSchedules(seed, runs, (figures) => {
      for (const finding of figures.findings.slice(told)) console.log(`dr: ${finding}`);
      told = figures.findings.length;
      if (figures.runs % TELL_EVERY !== 0 && figures.runs !== runs) return;
      const { signatures, restores, rotations, crashes, copies, moves, rollbacks, restaffings } = figures;
      console.log(
        `dr: ${figures.runs} schedules, next seed ${seed + figures.runs}: ${signatures} signatures, ${crashes} crashes, ${restores} restores, ` +
          `${rotations} rotations, ${copies} copies, ${moves} moves, ${rollbacks} old images, ${restaffings} boundaries at which most keys changed, ${figures.findings.length} findings`,
      );
    });
    return [...survivors, ...findings];
  },
};
