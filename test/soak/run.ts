/**
 * Long trials: `npm run soak -- NAME [--seed N] [...]` runs one against dist/bizra and ends with exit code 0 only when it
 * found nothing. Without a name it lists them.
 */
import { parseArgs } from "node:util";
import { Workplace } from "../e2e/support/workplace.ts";
import { brokerSoak } from "./broker.ts";
import { brokerConnectionsSoak } from "./broker-connections.ts";
import { brokerExactlyOnceSoak } from "./broker-exactly-once.ts";
import { damageSoak } from "./damage.ts";
import { drSoak } from "./dr.ts";
import { escrowSoak } from "./escrow.ts";
import { exhaustiveSoak } from "./exhaustive.ts";
import { idleSoak } from "./idle.ts";
import { imageSoak } from "./image.ts";
import { interopSoak } from "./interop.ts";
import { killSoak } from "./kill.ts";
import { killsSoak } from "./kills.ts";
import { mutantsSoak } from "./mutants.ts";
import { rejoinSoak } from "./rejoin.ts";
import { simSoak } from "./sim.ts";
import type { Soak } from "./soak.ts";
import { syncSoak } from "./sync.ts";
import { telemetryCaptureSoak } from "./telemetry-capture.ts";

const SOAKS: readonly Soak[] = [
  killSoak,
  killsSoak,
  brokerSoak,
  brokerConnectionsSoak,
  brokerExactlyOnceSoak,
  damageSoak,
  drSoak,
  escrowSoak,
  idleSoak,
  imageSoak,
  interopSoak,
  mutantsSoak,
  rejoinSoak,
  exhaustiveSoak,
  simSoak,
  syncSoak,
  telemetryCaptureSoak,
];

async function main(words: readonly string[]): Promise<number> {
  const soak = SOAKS.find(({ name }) => name === words[0]);
  if (soak === undefined) {
    for (const { name, summary } of SOAKS) console.log(`npm run soak -- ${name.padEnd(8)} ${summary}`);
    return words.length === 0 ? 0 : 2;
  }
  const options = { ...soak.options, ...Object.fromEntries((soak.wordOptions ?? []).map((name) => [name, { type: "string" } as const])) };
  const given = Object.entries(parseArgs({ args: words.slice(1), options, strict: true }).values).map(
    ([name, text]) => [name, String(text)] as const,
  );
  const texts = Object.fromEntries(given.filter(([name]) => soak.wordOptions?.includes(name)));
  const numbers = Object.fromEntries(given.filter(([name]) => !(name in texts)).map(([name, text]) => [name, Number(text)]));
  const wrong = Object.entries(numbers).find(([, value]) => !Number.isSafeInteger(value) || value < 0);
  if (wrong !== undefined) {
    console.error(`expected --${wrong[0]} as a whole number`);
    return 2;
  }
  const place = new Workplace();
  try {
    const faults = await soak.run(place, numbers, texts);
    for (const fault of faults.slice(0, 50)) console.error(`FAULT ${fault}`);
    console.log(`${soak.name}: ${faults.length} faults`);
    return faults.length === 0 ? 0 : 1;
  } finally {
    await place.end();
  }
}

process.exitCode = await main(process.argv.slice(2));
