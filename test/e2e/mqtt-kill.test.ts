import { afterAll, expect, test } from "bun:test";
import { Chance, seedOf } from "./support/chance.ts";
import { describeMqttKillReport, runMqttKillTrial } from "./support/mqtt-kill-trial.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("e2e mqtt: killed 20 times at random moments while devices publish, everything acknowledged is final", async () => {
  const seed = seedOf();
  const report = await runMqttKillTrial(place, { chance: new Chance(seed), kills: 20, publishMsMax: 600 });
  console.log(`mqtt kill, seed ${seed}: ${describeMqttKillReport(report)}`);
  expect(report.faults.slice(0, 20)).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(200);
  expect(report.final).toBe(report.acknowledged);
}, 240_000);
