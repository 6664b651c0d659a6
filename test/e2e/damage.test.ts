import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Chance, seedOf } from "./support/chance.ts";
import { describeDamageReport, type HarmGround, makeHarmGround, runDamageTrial } from "./support/damage-trial.ts";
import { freePort } from "./support/node-network.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
const chance = new Chance(seedOf());
let ground: HarmGround;

beforeAll(async () => {
  ground = await makeHarmGround(place, chance, 1_300);
  expect(ground.surprises).toEqual([]);
}, 240_000);

afterAll(() => place.end());

/** Few bits of each file here, and every loss; `npm run soak -- damage` flips a hundred and starts a node on each harm. */
describe("harm at rest", () => {
  for (const [state, flipsPerFile] of [
    ["stopped", 2],
    ["killed", 3],
  ] as const) {
    test(`e2e: a home whose node was ${state}, each file harmed bit by bit and lost, never silently lived with`, async () => {
      const { accounts, [state]: home } = ground;
      const report = await runDamageTrial(place, { home, accounts, flipsPerFile, startShare: 0.15, chance, width: 3 });
      const [summary] = describeDamageReport(report).split("\n");
      console.log(`damage, ${state}, seed ${chance.seed}: ${summary}`);
      expect(report.faults.slice(0, 30)).toEqual([]);
    }, 600_000);
  }

  test("e2e: a home with broker, telemetry and aggregator, their databases harmed and lost, each named by whoever starts on it", async () => {
    const nobody = `127.0.0.1:${freePort()}`;
    const words = ["--mqtt-listen", "127.0.0.1:0", "--telemetry-url", `mqtt://${nobody}`, "--sync-aggregators", `http://${nobody}`];
    const { killed: home, accounts, surprises } = await makeHarmGround(place, chance, 700, words);
    expect(surprises).toEqual([]);
    const isHarmed = (file: string): boolean => /^(broker|telemetry|sync)\.db/.test(file);
    const plan = { home, accounts, flipsPerFile: 1, startShare: 0, chance, width: 3, isHarmed, words, startsOnly: true };
    const report = await runDamageTrial(place, plan);
    console.log(`damage, services, seed ${chance.seed}: ${describeDamageReport(report)}`);
    for (const name of ["broker.db", "telemetry.db", "sync.db"]) expect(report.files.map(({ file }) => file)).toContain(name);
    expect(report.faults.slice(0, 30)).toEqual([]);
  }, 600_000);

  test("e2e: the killed home, every write-ahead log holding something to be harmed", () => {
    const logs = [...new Bun.Glob("*.db-wal").scanSync({ cwd: ground.killed })].sort();
    expect(logs).toEqual(["chain.db-wal", "node.db-wal", "ops.db-wal"]);
    for (const log of logs) expect([log, Bun.file(`${ground.killed}/${log}`).size > 32]).toEqual([log, true]);
  });
});
