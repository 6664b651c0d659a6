import { afterAll, expect, test } from "bun:test";
import { Chance, seedOf } from "./support/chance.ts";
import { describeStorm, NetworkLoad, runKillStorm } from "./support/network-trial.ts";
import { NodeNetwork } from "./support/node-network.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

/** @param pauseMsMax longest pause of an account between submissions */
async function storm(validators: number, kills: number, pauseMsMax: number): Promise<void> {
  const chance = new Chance(seedOf());
  const network = await NodeNetwork.start(place, `storm-${validators}`, { validators });
  const load = await NetworkLoad.of(network, chance, pauseMsMax);
  try {
    const report = await runKillStorm(load, chance, { kills });
    console.log(`network of ${validators}, seed ${chance.seed}: ${describeStorm(report)}`);
    expect(report.faults.slice(0, 20)).toEqual([]);
    expect(report.accepted).toBeGreaterThan(50);
    expect(report.final).toBeGreaterThanOrEqual(report.accepted);
  } finally {
    await load.stop();
  }
}

test("e2e: four validators, 20 kills of random ones under load, one chain and everything accepted final once", async () => {
  await storm(4, 20, 150);
}, 240_000);

test("e2e: seven validators, 8 kills of random ones under load, one chain and everything accepted final once", async () => {
  await storm(7, 8, 400);
}, 240_000);
