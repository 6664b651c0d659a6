import { afterAll, expect, test } from "bun:test";
import { describeIdleReport, runIdleTrial } from "./support/idle-trial.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("e2e: nothing to do for some seconds, no block, hardly a byte written, hardly any processor time", async () => {
  const report = await runIdleTrial(place, { seconds: 8, settleMs: 2_500 });
  console.log(`idle: ${describeIdleReport(report)}`);
  expect(report.faults).toEqual([]);
  expect(report.blocks).toBe(0);
  expect(report.bytesWritten).toBeLessThanOrEqual(16_384);
  expect(report.processorMs).toBeLessThan(800);
}, 240_000);
