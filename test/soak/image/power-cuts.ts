import type { Machine } from "../../e2e/image/machine.ts";
import { type ImageWorld, type Resting, slotsOf } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { orderUpdate, settlesOn } from "./updating.ts";

/** The release that a box has, and the one that is installed under cuts, with their slots. */
const OLD = { slot: "A", version: "1.0.0" } as const;
const NEW = { slot: "B", version: "1.1.0" } as const;

/**
 * The plug is pulled at moments spread by chance over a whole update: download, checks, both partitions, the counters, the restart and
 * the new release's first minute. Each disk goes on with what it had flushed (machine-disk.ts), and each start must come to a ready
 * node on a committed slot, of the old release or of the new one.
 */
export const powerCuts: Scenario = {
  name: "power-cuts",
  summary: "power cuts (20, or --cuts N) at moments of an update chosen by chance, each survived, and an update that ends",
  async run(world) {
    const { table, chance, cuts } = world;
    const url = await world.bundleUrl(NEW.version);
    const lengthMs = await uncut(world, url);
    let at = await world.copyOf(await world.committed(), "cuts");
    let machine = await world.start("cuts", at);
    await table.time("power-cuts", "start to ready node", () => comesUp(machine));
    for (let cut = 1; cut <= cuts; cut++) {
      await orderAgain(machine, url);
      const part = chance.unit();
      await Bun.sleep(part * lengthMs);
      await machine.cut();
      at = await world.copyOf(at, `cut-${cut}`);
      machine = await world.start(`cut-${cut}`, at);
      const release = await table.time("power-cuts", `cut ${cut} at ${(part * 100).toFixed(0)} %: start to ready node`, () =>
        comesUp(machine),
      );
      if (release === NEW.version && cut < cuts) ({ at, machine } = await beginAnew(world, machine, cut));
    }
    const { version } = await slotsOf(machine);
    if (version === OLD.version) {
      await orderAgain(machine, url);
      await table.time("power-cuts", "an update after all cuts", () => settlesOn(machine, NEW, 1));
    }
    await machine.cut();
    return [];
  },
};

/** An update that nothing disturbs; gives how long it takes from its order to the committed new release. */
async function uncut(world: ImageWorld, url: string): Promise<number> {
  const { machine } = await world.startCommitted("power-cuts");
  await orderUpdate(machine, url);
  const beganMs = performance.now();
  await world.table.time("power-cuts", "an update without a cut", () => settlesOn(machine, NEW, 1));
  await machine.cut();
  return performance.now() - beganMs;
}

/** Waits for a ready node on a committed slot, whichever release that is; gives its version. */
async function comesUp(machine: Machine): Promise<string> {
  const version = await machine.until("come up on a committed slot", START_LIMIT_MS, async () => {
    const { running, good, version } = await slotsOf(machine);
    const isWhole = [OLD, NEW].some((release) => release.slot === running && release.version === version);
    return running === good && isWhole ? version : undefined;
  });
  await machine.answers("/readyz", START_LIMIT_MS);
  return version;
}

/** Orders the release; a box that goes on with it by itself after a cut says that it is busy. */
async function orderAgain(machine: Machine, url: string): Promise<void> {
  try {
    await orderUpdate(machine, url);
  } catch (error) {
    if (!(error instanceof Error) || !/busy|the machine restarted/.test(error.message)) throw error;
  }
}

/** The update was through when the plug was pulled: the next cuts are of another copy of the old release. */
async function beginAnew(world: ImageWorld, done: Machine, cut: number): Promise<{ readonly at: Resting; readonly machine: Machine }> {
  await done.cut();
  const at = await world.copyOf(await world.committed(), `cuts-after-${cut}`);
  const machine = await world.start(`cuts-after-${cut}`, at);
  await comesUp(machine);
  return { at, machine };
}
