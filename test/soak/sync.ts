import { seedOf } from "../e2e/support/chance.ts";
import { runSyncTrial } from "../e2e/support/sync-trial.ts";
import { Workplace } from "../e2e/support/workplace.ts";
import type { Soak } from "./soak.ts";

/** Kills after which everything is compared and a new node and aggregator begin. */
const KILLS_PER_TRIAL = 50;

/** Hundreds of kills of a loaded node and its aggregator, in trials of their own seeds, each compared record by record. */
export const syncSoak: Soak = {
  name: "sync",
  summary: "kills a loaded node and its aggregator 500 times and compares every record (--kills N, --seed N to go on from there)",
  options: { kills: { type: "string" }, seed: { type: "string" } },
  run: async (_place, { kills: wanted = 500, seed: first = seedOf() }) => {
    const faults: string[] = [];
    let done = 0;
    for (let seed = first; done < wanted && faults.length === 0; seed++) {
      const kills = Math.min(KILLS_PER_TRIAL, wanted - done);
      const place = new Workplace(); // each trial has ports and homes of its own
      try {
        const report = await runSyncTrial(place, { seed, kills });
        done += kills;
        const counts = Object.entries(report.records).map(([lane, { node, held }]) => `${lane} ${held} of ${node}`);
        console.log(
          `sync: seed ${seed}, ${done}/${wanted}: ${report.nodeKills} kills of the node, ${report.aggregatorKills} of the aggregator; ` +
            `held ${counts.join(", ")}; ${report.faults.length} faults`,
        );
        faults.push(...report.faults.map((fault) => `seed ${seed}: ${fault}`));
      } finally {
        await place.end();
      }
    }
    return faults;
  },
};
