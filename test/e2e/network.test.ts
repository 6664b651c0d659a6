import { afterAll, expect, test } from "bun:test";
import { Chance, seedOf } from "./support/chance.ts";
import { describeStorm, NetworkLoad, runKillStorm } from "./support/network-trial.ts";
import { NodeNetwork } from "./support/node-network.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("e2e: four validators, 20 kills of random ones under load, one chain and everything accepted final once", async () => {
  const chance = new Chance(seedOf());
  const network = await NodeNetwork.start(place, "storm", { validators: 4 });
  const load = await NetworkLoad.of(network, chance);
  const report = await runKillStorm(load, chance, { kills: 20 });
  console.log(`network, seed ${chance.seed}: ${describeStorm(report)}`);
  expect(report.faults.slice(0, 20)).toEqual([]);
  expect(report.accepted).toBeGreaterThan(100);
  expect(report.final).toBeGreaterThanOrEqual(report.accepted);
}, 240_000);
