import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { homeOf, makeTestnet, type Testnet } from "./support/bizra.ts";
import { Chance, seedOf } from "./support/chance.ts";
import { describeDamageReport, runDamageTrial } from "./support/damage-trial.ts";
import { loadFor, makeDemoLoad } from "./support/demo-load.ts";
import { readKeys } from "./support/independent-client.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const chance = new Chance(seedOf());
let net: Testnet;
let stopped: string;
let killed: string;

beforeAll(async () => {
  net = await makeTestnet(place.at("net"));
  const node = await place.start(homeOf(net));
  const { load } = await makeDemoLoad(net, node, chance, 30);
  await loadFor(load, node, 1_000);
  expect(await node.stop()).toBe(0);
  stopped = place.copyOf(homeOf(net));
  const again = await place.start(homeOf(net));
  const running = load.run(again, AbortSignal.timeout(1_000));
  await Bun.sleep(700);
  await again.kill();
  await running;
  killed = homeOf(net);
  expect(load.surprises).toEqual([]);
}, 60_000);

afterAll(() => place.end());

describe("harm at rest", () => {
  for (const [state, home, flipsPerFile] of [
    ["stopped in good order", () => stopped, 10],
    ["killed under load", () => killed, 12],
  ] as const) {
    test(`e2e: a home ${state}, each file harmed bit by bit and lost, never silently lived with`, async () => {
      const accounts = Object.values(net.accounts).map(readKeys);
      const report = await runDamageTrial(place, { home: home(), accounts, flipsPerFile, startShare: 0.12, chance, width: 3 });
      console.log(`damage, ${state}, seed ${chance.seed}: ${describeDamageReport(report)}`);
      expect(report.faults.slice(0, 30)).toEqual([]);
    }, 120_000);
  }
});
