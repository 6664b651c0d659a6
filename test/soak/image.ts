/**
 * Images of boxes in virtual machines, emulated in software: each scenario prints its times and what is wrong, and all times
 * come in a table at the end. Bundles, images and the box that they begin with are made once and shared.
 */
import { machineTools } from "../e2e/image/trial-image.ts";
import { seedOf } from "../e2e/support/chance.ts";
import { boards } from "./image/boards.ts";
import { builds } from "./image/builds.ts";
import { corruption } from "./image/corruption.ts";
import { hangs } from "./image/hangs.ts";
import { ImageWorld } from "./image/image-world.ts";
import { network } from "./image/network.ts";
import { powerCuts } from "./image/power-cuts.ts";
import { rollback } from "./image/rollback.ts";
import type { Scenario } from "./image/scenario.ts";
import { secureBoot } from "./image/secure-boot.ts";
import { system } from "./image/system.ts";
import { Timetable } from "./image/timetable.ts";
import { updates } from "./image/updates.ts";
import type { Soak } from "./soak.ts";

const SCENARIOS: readonly Scenario[] = [builds, boards, secureBoot, network, system, updates, hangs, rollback, corruption, powerCuts];

/** `npm run soak -- image`. */
export const imageSoak: Soak = {
  name: "image",
  summary: `[--only NAME,...] [--cuts N]  images in virtual machines: ${SCENARIOS.map(({ name }) => name).join(", ")}`,
  options: { cuts: { type: "string" } },
  wordOptions: ["only"],
  async run(place, { cuts = 20 }, { only }) {
    const names = only?.split(",") ?? SCENARIOS.map(({ name }) => name);
    const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
    if (unknown.length > 0)
      return [`there is no scenario ${unknown.join(", ")}; there are ${SCENARIOS.map(({ name }) => name).join(", ")}`];
    const unavailable = await machineTools();
    if (unavailable !== undefined) return [`nothing was tried: ${unavailable}`];
    process.env["E2E_PACKAGES"] ??= place.at("packages"); // fetched once for all scenarios
    const table = new Timetable();
    const world = new ImageWorld(place, { table, seed: seedOf(), cuts });
    console.log(`seed ${world.chance.seed}`);
    const faults: string[] = [];
    for (const scenario of SCENARIOS.filter(({ name }) => names.includes(name))) {
      console.log(`${scenario.name}: ${scenario.summary}`);
      faults.push(...(await outcomeOf(scenario, world)).map((fault) => `${scenario.name}: ${fault}`));
    }
    table.print();
    return faults;
  },
};

/** A scenario that gives up is a fault of its own, and the others go on. */
async function outcomeOf(scenario: Scenario, world: ImageWorld): Promise<readonly string[]> {
  try {
    return await world.table.time(scenario.name, "all of it", () => scenario.run(world));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return [error.message];
  } finally {
    world.endMachines();
  }
}
