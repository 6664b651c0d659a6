import { afterAll, expect, test } from "bun:test";
import { describeCrowdReport, runCrowdTrial } from "./support/crowd-trial.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("e2e mqtt: 1,000 idle connections, all held, a few KB each, and a device's transactions final all the while", async () => {
  const report = await runCrowdTrial(place, { connections: 1_000, processes: 2, measureMs: 3_000 });
  console.log(`mqtt connections: ${describeCrowdReport(report)}`);
  expect(report.connected).toBe(1_000);
  expect(report.counted).toBe(1_001);
  // A buffer of 64 KiB each way would be 128 KiB; 1,000 are few against what the node's heap does meanwhile.
  expect(report.bytesPerConnection).toBeLessThan(96 * 1_024);
  // Work for each connection at each block would be a hundred times as long; what else this machine does is not.
  expect(report.during.finalP50Ms).toBeLessThan(10 * report.before.finalP50Ms + 2_000);
}, 240_000);
