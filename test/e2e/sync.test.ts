import { afterAll, expect, test } from "bun:test";
import { seedOf } from "./support/chance.ts";
import { runSyncTrial } from "./support/sync-trial.ts";
import { Workplace } from "./support/workplace.ts";

const place = new Workplace();
afterAll(() => place.end());

test("sync: node and aggregator killed 12 times at random moments under load, every event held once", async () => {
  const seed = seedOf();
  const report = await runSyncTrial(place, { seed, kills: 12 });
  const counts = Object.entries(report.records).map(([lane, { node, held }]) => `${lane} ${held} of ${node}`);
  console.log(
    `sync, seed ${seed}: ${report.nodeKills} kills of the node, ${report.aggregatorKills} of the aggregator; held ${counts.join(", ")}; ` +
      `${report.wireBytesPerEvent.toFixed(0)} bytes an event since the aggregator's last start, ${report.faults.length} faults`,
  );
  expect(report.faults.slice(0, 20)).toEqual([]);
  for (const { node } of Object.values(report.records)) expect(node).toBeGreaterThan(3);
}, 240_000);
