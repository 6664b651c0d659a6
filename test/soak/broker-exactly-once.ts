import { seedOf } from "../e2e/support/chance.ts";
import { runBrokerKillTrial } from "../integration/broker/support/kill-trial.ts";
import type { Soak } from "./soak.ts";

/** Hundreds of kills of the broker alone. */
export const brokerExactlyOnceSoak: Soak = {
  name: "broker-exactly-once",
  summary: "kills the MQTT engine 500 times between two clients; QoS 1 is never lost, QoS 2 heard once (--kills N, --seed N)",
  options: { kills: { type: "string" }, seed: { type: "string" } },
  run: async (place, { kills = 500, seed = seedOf() }) => {
    const { published, repeated, faults } = await runBrokerKillTrial(place.at("broker.db"), kills, seed);
    console.log(`broker-exactly-once: seed ${seed}, ${kills} kills, ${published} published, ${repeated} of QoS 1 heard again`);
    return faults;
  },
};
