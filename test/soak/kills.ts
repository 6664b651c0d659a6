import { Chance, seedOf } from "../e2e/support/chance.ts";
import { describeStorm, NetworkLoad, runKillStorm, spreadOf } from "../e2e/support/network-trial.ts";
import { NodeNetwork } from "../e2e/support/node-network.ts";
import type { Soak } from "./soak.ts";

/** Kills after which everything is audited and a new network begins: an audit asks for every transaction there ever was. */
const KILLS_PER_STORM = 50;
const TELL_EVERY_MS = 60_000;
/** Longest pause of an account between submissions. */
const PAUSE_MS_MAX = 150;

/** Hundreds of kills on a network, in storms of their own seeds, each on a fresh network and each audited. */
export const killsSoak: Soak = {
  name: "kills",
  summary: "kills nodes of a network 500 times in audited storms (--kills N, --validators N, --seed N to go on from there)",
  options: { kills: { type: "string" }, validators: { type: "string" }, seed: { type: "string" } },
  run: async (place, { kills: wanted = 500, validators = 4, seed: first = seedOf() }) => {
    const faults: string[] = [];
    const restarts: number[] = [];
    let done = 0;
    let seed = first;
    let toldAtMs = performance.now();
    process.once("SIGINT", () => console.log(`kills: stopped; it goes on with --seed ${seed} --kills ${wanted - done}`));
    for (; done < wanted && faults.length === 0; seed++) {
      const before = done;
      const network = await NodeNetwork.start(place, `kills-${seed}`, { validators });
      const chance = new Chance(seed);
      const load = await NetworkLoad.of(network, chance, PAUSE_MS_MAX);
      const storm = Math.min(KILLS_PER_STORM, wanted - done);
      const report = await runKillStorm(load, chance, {
        kills: storm,
        onRound: async ({ kills, restartMs }) => {
          restarts.push(...restartMs);
          if (performance.now() - toldAtMs < TELL_EVERY_MS) return;
          toldAtMs = performance.now();
          const { p50, max } = spreadOf(restarts);
          const heights = (await network.heights()).join(" ");
          console.log(
            `kills: seed ${seed}, ${before + kills}/${wanted}, ${load.demo.load.accepted.size} accepted, heights ${heights}, ready p50 ${p50} ms, max ${max} ms`,
          );
        },
      });
      done += storm;
      console.log(`kills: seed ${seed}, ${done}/${wanted}: ${describeStorm(report)}`);
      faults.push(...report.faults.map((fault) => `seed ${seed}: ${fault}`));
    }
    return faults;
  },
};
