import type { Machine } from "../../e2e/image/machine.ts";
import { slotsOf } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";

/** The home of a box's node. */
export const BOX_HOME = "/var/lib/bizra/home";

/** Orders a release as an operator does; resolves when the order is taken. */
export async function orderUpdate(machine: Machine, url: string): Promise<void> {
  await machine.must(`bizra update install ${url} --home ${BOX_HOME} --no-wait`, 300_000);
}

/** Writes a release into the other slot by the updater alone, which starts nothing. */
export async function writeSlot(machine: Machine, url: string): Promise<void> {
  await machine.must(`rauc install ${url}`, START_LIMIT_MS);
}

/** Waits until a version runs on its committed slot with a ready node, after at least so many restarts, and this start was found good. */
export async function settlesOn(
  machine: Machine,
  wanted: { readonly slot: "A" | "B"; readonly version: string },
  restarts: number,
): Promise<void> {
  await machine.restarts(restarts, START_LIMIT_MS);
  await machine.until(`settle on ${wanted.version} in slot ${wanted.slot}`, START_LIMIT_MS, async () => {
    const { running, good, version, tries } = await slotsOf(machine);
    const isCommitted = running === wanted.slot && good === wanted.slot && tries === 0;
    return isCommitted && version === wanted.version ? true : undefined;
  });
  await machine.answers("/readyz", START_LIMIT_MS);
}

/** Does to a box what makes it restart, and does not wait for an answer that may not come any more. */
export async function provoke(machine: Machine, command: string): Promise<void> {
  await machine.shellIsThere();
  machine.run(command).catch(() => undefined);
}
