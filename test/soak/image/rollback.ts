import { BROKEN, type BrokenKind, compileBroken } from "./broken-programs.ts";
import type { ImageWorld } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { orderUpdate, settlesOn } from "./updating.ts";

/** The version of each broken release. */
const VERSIONS: Readonly<Record<BrokenKind, string>> = { exits: "2.0.1", "node-exits": "2.0.2", "node-hangs": "2.0.3" };

/** Releases that do not work: each is tried once, and the box is back on what it had, without anybody. */
export const rollback: Scenario = {
  name: "rollback",
  summary: "an update to a broken release is taken back without anybody, for each way of being broken",
  async run(world) {
    const faults: string[] = [];
    for (const kind of ["exits", "node-exits", "node-hangs"] as const) {
      const found = await tryBroken(world, kind);
      faults.push(...found.map((fault) => `${BROKEN[kind]}: ${fault}`));
    }
    return faults;
  },
};

async function tryBroken(world: ImageWorld, kind: BrokenKind): Promise<readonly string[]> {
  const { table } = world;
  const version = VERSIONS[kind];
  await world.image(version, { program: await compileBroken(kind, world.folder) });
  const url = await world.bundleUrl(version);
  const { machine } = await world.startCommitted(`rollback-${kind}`);
  await orderUpdate(machine, url);
  await table.time("rollback", `${BROKEN[kind]}: ordered to restart`, () => machine.restarts(1, START_LIMIT_MS));
  await table.time("rollback", `${BROKEN[kind]}: restart to ready on the release before`, () =>
    settlesOn(machine, { slot: "A", version: "1.0.0" }, 2),
  );
  // The boot loader says it once on the serial line and once on the firmware's console, which is the same line here.
  const tries = machine.said().match(/(bizra-boot: slot B [^\r\n]*?GOOD=[AB])\1?/g)?.length ?? 0;
  // The release before is judged like any other, and marked good once more: then the broken one comes last.
  const isLast = async (): Promise<true | undefined> =>
    /^ORDER=A B$/m.test(await machine.must("cat /bootstate/grubenv")) ? true : undefined;
  await machine.until("put the broken release last", START_LIMIT_MS, isLast);
  await machine.cut();
  return tries === 1 ? [] : [`the broken release was started ${tries} times`];
}
