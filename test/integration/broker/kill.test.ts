import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBrokerKillTrial } from "./support/kill-trial.ts";

const folder = mkdtempSync(join(tmpdir(), "bizra-broker-kill-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("broker killed 12 times between a publisher and a subscriber: nothing acknowledged is lost, QoS 2 is heard once", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const report = await runBrokerKillTrial(join(folder, "broker.db"), 12, seed);
  console.log(`broker kill, seed ${seed}: ${report.kills} kills, ${report.published} published, ${report.repeated} of QoS 1 heard again`);
  expect(report.faults.slice(0, 10)).toEqual([]);
  expect(report.published).toBeGreaterThan(100);
}, 240_000);
