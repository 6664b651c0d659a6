import { Chance, seedOf } from "../e2e/support/chance.ts";
import { describeDamageReport, makeHarmGround, runDamageTrial } from "../e2e/support/damage-trial.ts";
import type { Soak } from "./soak.ts";

/** Many bits of every file, on a home whose node was stopped and on one whose node was killed, a node started on each. */
export const damageSoak: Soak = {
  name: "damage",
  summary: "flips many bits of every file of a home and loses each (--flips N per file, --seed N)",
  options: { flips: { type: "string" }, seed: { type: "string" } },
  run: async (place, { flips = 100, seed = seedOf() }) => {
    const chance = new Chance(seed);
    const ground = await makeHarmGround(place, chance, 4_000);
    const faults = [...ground.surprises];
    for (const state of ["stopped", "killed"] as const) {
      const { accounts, [state]: home } = ground;
      const report = await runDamageTrial(place, { home, accounts, flipsPerFile: flips, startShare: 1, chance, width: 3 });
      console.log(`damage, ${state}, seed ${seed}: ${describeDamageReport(report)}`);
      faults.push(...report.faults.map((fault) => `${state}: ${fault}`));
    }
    return faults;
  },
};
