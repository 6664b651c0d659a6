import { homeOf, makeTestnet } from "../e2e/support/bizra.ts";
import { Chance, seedOf } from "../e2e/support/chance.ts";
import { describeDamageReport, runDamageTrial } from "../e2e/support/damage-trial.ts";
import { loadFor, makeDemoLoad } from "../e2e/support/demo-load.ts";
import { readKeys } from "../e2e/support/independent-client.ts";
import type { Soak } from "./soak.ts";

/** Many bits of every file, on a home that was stopped and on one that was killed, a node started on each. */
export const damageSoak: Soak = {
  name: "damage",
  summary: "flips many bits of every file of a home and loses each (--flips N per file, --seed N)",
  options: { flips: { type: "string" }, seed: { type: "string" } },
  run: async (place, { flips = 100, seed = seedOf() }) => {
    const chance = new Chance(seed);
    const net = await makeTestnet(place.at("net"));
    const accounts = Object.values(net.accounts).map(readKeys);
    const node = await place.start(homeOf(net));
    const { load } = await makeDemoLoad(net, node, chance, 30);
    await loadFor(load, node, 3_000);
    const code = await node.stop();
    const stopped = place.copyOf(homeOf(net));
    const again = await place.start(homeOf(net));
    const running = loadFor(load, again, 3_000);
    await Bun.sleep(2_500);
    await again.kill();
    await running;
    const faults = code === 0 ? [...load.surprises] : [...load.surprises, `the stop ended with ${code}`];
    for (const [state, home] of [
      ["stopped", stopped],
      ["killed", homeOf(net)],
    ] as const) {
      const report = await runDamageTrial(place, { home, accounts, flipsPerFile: flips, startShare: 1, chance, width: 3 });
      console.log(`damage, ${state}, seed ${seed}: ${describeDamageReport(report)}`);
      faults.push(...report.faults.map((fault) => `${state}: ${fault}`));
    }
    return faults;
  },
};
