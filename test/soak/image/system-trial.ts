import type { Machine } from "../../e2e/image/machine.ts";
import type { NodeNetwork } from "../../e2e/support/node-network.ts";
import type { BoxPage } from "./box-page.ts";
import type { ImageWorld, Resting } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";

/** A box and what it is asked by: its machine, its page, the network that it is to join. */
export type SystemTrial = {
  readonly world: ImageWorld;
  readonly machine: Machine;
  readonly page: BoxPage;
  readonly at: Resting;
  readonly host: NodeNetwork;
  readonly faults: string[];
};

/** Notes what is not so. */
export function expectThat(trial: SystemTrial, isSo: boolean, sentence: string): void {
  if (!isSo) trial.faults.push(sentence);
}

/** Waits until status.txt says something; gives all of it. */
export async function statusSays(machine: Machine, words: string): Promise<string> {
  return await machine.until(`say "${words}" in status.txt`, START_LIMIT_MS, async () => {
    const { out } = await machine.run("cat /provision/status.txt 2>/dev/null");
    return out.includes(words) ? out : undefined;
  });
}

/** Restarts the machine as its node asks for it, and waits until it is there again. */
export async function restart({ machine, world }: SystemTrial, what: string): Promise<void> {
  const before = machine.resets.length;
  await machine.must("setpriv --reuid=900 --regid=900 --clear-groups touch /run/bizra-node/restart");
  await machine.restarts(before + 1, START_LIMIT_MS);
  await world.table.time("system", `${what}: restart to page`, () =>
    machine.answers("/api/glance", START_LIMIT_MS, ({ ok }) => ok, "page"),
  );
  await machine.shellIsThere();
}
