import { Chance, seedOf } from "../e2e/support/chance.ts";
import { describeMqttKillReport, runMqttKillTrial } from "../e2e/support/mqtt-kill-trial.ts";
import type { Soak } from "./soak.ts";

/** A thousand kills while devices publish. */
export const brokerSoak: Soak = {
  name: "broker",
  summary: "kills a node 1,000 times while devices publish over MQTT; everything acknowledged is final (--kills N, --seed N)",
  options: { kills: { type: "string" }, seed: { type: "string" } },
  run: async (place, { kills = 1_000, seed = seedOf() }) => {
    console.log(`broker: seed ${seed}, ${kills} kills`);
    const plan = { chance: new Chance(seed), kills, publishMsMax: 600, onProgress: (line: string) => console.log(line) };
    const report = await runMqttKillTrial(place, plan);
    console.log(`broker: ${describeMqttKillReport(report)}`);
    return report.faults;
  },
};
