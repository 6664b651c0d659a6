import { seedOf } from "../e2e/support/chance.ts";
import { describeKillReport, runKillTrial } from "../e2e/support/kill-trial.ts";
import type { Soak } from "./soak.ts";

/** Hundreds of kills under load. */
export const killSoak: Soak = {
  name: "kill",
  summary: "kills a node under load 300 times and keeps the books (--kills N, --seed N)",
  options: { kills: { type: "string" }, seed: { type: "string" } },
  run: async (place, { kills = 300, seed = seedOf() }) => {
    console.log(`kill: seed ${seed}, ${kills} kills`);
    const report = await runKillTrial(place, { seed, kills, loadMsMax: 1_500, onProgress: (line) => console.log(line) });
    console.log(`kill: ${describeKillReport(report)}`);
    return report.faults;
  },
};
