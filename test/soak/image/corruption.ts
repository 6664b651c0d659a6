import type { Machine } from "../../e2e/image/machine.ts";
import { slotsOf } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { orderUpdate, provoke, settlesOn, writeSlot } from "./updating.ts";

/** Overwrites most of a slot's root below its verification, and forgets what is in memory of it. */
const spoil = (slot: string): string =>
  `dd if=/dev/urandom of=/dev/bizra/root-${slot} bs=1M seek=1 count=120 conv=notrunc,fsync && echo 3 >/proc/sys/vm/drop_caches`;

/** Storage that gives back something else than was written, in a fresh slot and in the one that runs. */
export const corruption: Scenario = {
  name: "corruption",
  summary: "a box whose new root, or whose running and committed root, is overwritten is ready again on the other slot",
  async run(world) {
    const { table } = world;
    const url = await world.bundleUrl("1.1.0");
    const { machine: first } = await world.startCommitted("corrupt-fresh");
    await table.time("corruption", "1.1.0 written into slot B", () => writeSlot(first, url));
    await first.must(spoil("B"), START_LIMIT_MS);
    await provoke(first, "systemctl reboot");
    const faults = [...(await table.time("corruption", "fresh root spoilt: restart to ready on A", () => isBackOnA(first, 1)))];
    await first.cut();

    const { machine } = await world.startCommitted("corrupt-running");
    await orderUpdate(machine, url);
    await table.time("corruption", "1.1.0 ordered to committed in slot B", () => settlesOn(machine, { slot: "B", version: "1.1.0" }, 1));
    await provoke(machine, `${spoil("B")}; ls -lR /usr >/dev/null; sync; cat /usr/bin/* >/dev/null`);
    faults.push(...(await table.time("corruption", "running root spoilt: to ready on A", () => isBackOnA(machine, 2))));
    await machine.cut();
    return faults;
  },
};

/** Waits until slot A, of the release before, is committed and ready. */
async function isBackOnA(machine: Machine, restarts: number): Promise<readonly string[]> {
  await settlesOn(machine, { slot: "A", version: "1.0.0" }, restarts);
  const { version } = await slotsOf(machine);
  return version === "1.0.0" ? [] : [`it is back on ${version}`];
}
