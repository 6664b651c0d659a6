import { afterAll, expect, test } from "bun:test";
import { seedOf } from "./support/chance.ts";
import { describeKillReport, runKillTrial } from "./support/kill-trial.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("e2e: killed 20 times at random moments under load, everything accepted is final, once", async () => {
  const report = await runKillTrial(place, { seed: seedOf(), kills: 20, loadMsMax: 1_200 });
  console.log(`kill: ${describeKillReport(report)}`);
  expect(report.faults.slice(0, 20)).toEqual([]);
  expect(report.accepted).toBeGreaterThan(500);
  expect(report.final).toBeGreaterThanOrEqual(report.accepted);
}, 240_000);
