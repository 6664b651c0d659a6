import { START_LIMIT_MS } from "./limits.ts";
import { expectThat, restart, type SystemTrial, statusSays } from "./system-trial.ts";
import { BOX_HOME } from "./updating.ts";

const AS_NODE = "setpriv --reuid=900 --regid=900 --clear-groups";

/** A data partition on which the node's user has no byte left: the box starts, says so, and goes on once there is room. */
export async function fullData(trial: SystemTrial): Promise<void> {
  const { machine } = trial;
  const fill = `${BOX_HOME}/fill`;
  await machine.must(`${AS_NODE} fallocate -l 8G ${fill}; ${AS_NODE} dd if=/dev/zero of=${fill}-2 bs=64k; true`);
  const free = Number(await machine.must("df --output=avail /data | tail -n 1"));
  expectThat(trial, free < 4_096, `the data partition is not full: ${free} KiB are free`);
  await restart(trial, "full data");
  await statusSays(machine, "The data partition is full");
  const told = await machine.must(`bizra box status --home ${BOX_HOME}`);
  expectThat(trial, told.includes("The data partition is full"), `bizra box status says nothing of the full partition: ${told}`);
  const units = await machine.must("systemctl is-active bizra-node bizra-page; systemctl --failed --no-legend");
  expectThat(trial, units === "active\nactive", `with a full partition the units are ${units}`);
  await machine.must(`rm -f ${fill} ${fill}-2`);
  await machine.until("say no more that it is full", START_LIMIT_MS, async () =>
    (await machine.run("cat /provision/status.txt")).out.includes("is full") ? undefined : true,
  );
}

/** A signing partition, then a data partition too, that cannot be mounted: left as they are, and said. */
export async function damagedStorage(trial: SystemTrial): Promise<void> {
  const { machine } = trial;
  await destroy(trial, "signstate");
  await statusSays(machine, "The partition signstate cannot be used");
  const link = await machine.must(
    `readlink ${BOX_HOME}/signstate; ls ${BOX_HOME}/signstate/ 2>&1 | head -n 1; ls -d ${BOX_HOME}/custody 2>/dev/null; true`,
  );
  expectThat(
    trial,
    link.includes("/signstate/bizra") && link.includes("No such file") && !link.includes("/custody"),
    `signstate was replaced: ${link}`,
  );

  const sum = "head -c 4194304 /dev/bizra/data | tr -d '\\0' | wc -c";
  await destroy(trial, "data");
  const status = await statusSays(machine, "The data partition cannot be used");
  expectThat(trial, /Console one-time code: [0-9A-Z-]{14}/.test(status), `nobody gets in: ${status}`);
  const keys = await machine.run(`ls ${BOX_HOME}/keys ${BOX_HOME}/journal`);
  expectThat(trial, keys.code !== 0, `keys were made on memory: ${keys.out}`);
  expectThat(trial, (await machine.must(sum)) === "0", "the destroyed data partition was written to");
  const glance = (await (await fetch(`${machine.url("page")}/api/glance`)).json()) as { isWell: boolean };
  expectThat(trial, !glance.isWell, "the page says that all is well");
}

/** Overwrites a partition whole and resets the machine, before anything cached can be written to it. */
async function destroy({ machine, world }: SystemTrial, label: "signstate" | "data"): Promise<void> {
  const before = machine.resets.length;
  await machine.shellIsThere();
  machine.run(`dd if=/dev/zero of=/dev/bizra/${label} bs=4M oflag=direct; echo b >/proc/sysrq-trigger`, 600_000).catch(() => undefined);
  await machine.restarts(before + 1, START_LIMIT_MS);
  await world.table.time("system", `${label} destroyed: reset to page`, () =>
    machine.answers("/api/glance", START_LIMIT_MS, ({ ok }) => ok, "page"),
  );
  await machine.shellIsThere();
}
