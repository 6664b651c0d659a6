import type { Machine } from "../../e2e/image/machine.ts";
import { slotsOf } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";

const CGROUP = "/sys/fs/cgroup/system.slice/bizra-node.service/cgroup.procs";
/** The process of a kind below the node's unit, by the word after its name. */
const pidOf = (word: string): string =>
  `for p in $(cat ${CGROUP}); do tr '\\0' ' ' </proc/$p/cmdline | grep -q '^[^ ]*bizra ${word} ' && echo $p; done; true`;

/** Each layer that can hang, and what ends it: the node, the main process above it, the kernel above that. */
export const hangs: Scenario = {
  name: "hangs",
  summary: "a node, a main process and a kernel that hang are ended by the next above them, and the node is ready again",
  async run(world) {
    const { machine } = await world.startCommitted("hangs");
    const faults: string[] = [];
    faults.push(...(await hang(machine, "node", (what, wait) => world.table.time("hangs", what, wait))));
    faults.push(...(await hang(machine, "box", (what, wait) => world.table.time("hangs", what, wait))));

    const before = machine.resets.length;
    // A panic that is told to wait for somebody is a kernel that does nothing any more.
    const hung = machine.run("echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger");
    hung.catch(() => undefined);
    const reset = await world.table.time("hangs", "kernel hung, to its reset", () => machine.restarts(before + 1, START_LIMIT_MS));
    if (reset.reason !== "watchdog") faults.push(`the hung kernel was ended by ${reset.reason}, expected the watchdog`);
    await world.table.time("hangs", "from there to ready node", () => machine.answers("/readyz", START_LIMIT_MS));
    const { running } = await slotsOf(machine);
    if (running !== "A") faults.push(`a hang made the box leave its committed slot for ${running}`);
    await machine.cut();
    return faults;
  },
};

/** Stops a process as one that hangs does; it must be replaced by another one, without a restart of the machine. */
async function hang(
  machine: Machine,
  word: "node" | "box",
  time: (what: string, wait: () => Promise<string>) => Promise<string>,
): Promise<readonly string[]> {
  const before = machine.resets.length;
  const pid = await machine.must(pidOf(word));
  if (!/^\d+$/.test(pid)) return [`expected one process \`bizra ${word}\`, got ${JSON.stringify(pid)}`];
  await machine.must(`kill -STOP ${pid}`);
  const next = await time(`${word} hung, to another one`, () =>
    machine.until(`replace the ${word} that hangs`, START_LIMIT_MS, async () => {
      const { out } = await machine.run(pidOf(word));
      return out.trim() !== "" && out.trim() !== pid ? out.trim() : undefined;
    }),
  );
  await time("from there to ready node", async () => String((await machine.answers("/readyz", START_LIMIT_MS)).status));
  const faults = machine.resets.length === before ? [] : [`the machine restarted although only its ${word} hung`];
  return next.includes("\n") ? [...faults, `two processes \`bizra ${word}\` run at once`] : faults;
}
