import { runSchedules } from "../sim/dr/schedules.ts";
import type { Soak } from "./soak.ts";

const TELL_EVERY = 5_000;

/** Schedules of disaster and recovery by the hundred thousand. */
export const drSoak: Soak = {
  name: "dr",
  summary: "runs 100,000 schedules of crashes, losses, restores and late fences (--seed N to go on from there, --runs N)",
  options: { seed: { type: "string" }, runs: { type: "string" } },
  run: async (_place, { seed = 1_000_000, runs = 100_000 }) => {
    const { findings } = runSchedules(seed, runs, (figures) => {
      if (figures.runs % TELL_EVERY !== 0 && figures.runs !== runs) return;
      const { signatures, restores, rotations, crashes } = figures;
      console.log(
        `dr: ${figures.runs} schedules, next seed ${seed + figures.runs}: ${signatures} signatures, ${restores} restores, ${rotations} rotations, ${crashes} crashes, ${figures.findings.length} findings`,
      );
    });
    return findings;
  },
};
