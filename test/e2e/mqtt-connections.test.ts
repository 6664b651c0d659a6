import { afterAll, expect, test } from "bun:test";
import { describeCrowdReport, runCrowdTrial } from "./support/crowd-trial.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("e2e mqtt: 1,000 idle connections, all held, a few KB each, and a device's transactions as soon final as without", async () => {
  const report = await runCrowdTrial(place, { connections: 1_000, processes: 2, measureMs: 3_000 });
  console.log(`mqtt connections: ${describeCrowdReport(report)}`);
  expect(report.connected).toBe(1_000);
  expect(report.counted).toBe(1_001);
  expect(report.bytesPerConnection).toBeLessThan(64 * 1_024); // 1,000 are few against what the node's heap does meanwhile
  expect(report.during.finalP50Ms).toBeLessThan(3 * report.before.finalP50Ms + 100);
}, 120_000);
