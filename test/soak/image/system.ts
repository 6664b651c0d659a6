import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Machine } from "../../e2e/image/machine.ts";
import { overlayDisk } from "../../e2e/image/machine-disk.ts";
import { HOST_ADDRESS } from "../../e2e/image/machine-words.ts";
import { buildTrialImage } from "../../e2e/image/trial-image.ts";
import { bizraJson } from "../../e2e/support/bizra.ts";
import { NodeNetwork } from "../../e2e/support/node-network.ts";
import { BoxPage } from "./box-page.ts";
import type { ImageWorld, Resting } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { damagedStorage, fullData } from "./storage-trials.ts";
import { expectThat, type SystemTrial, statusSays } from "./system-trial.ts";
import { BOX_HOME } from "./updating.ts";

/**
 * The life of a box without its release: a plan with a mistake, told and without effect; the corrected one by its page, in
 * force to the address; both factory resets; a full data partition; a signing partition and data that are destroyed; and the
 * same image on a second disk.
 */
export const system: Scenario = {
  name: "system",
  summary: "a box from a mistaken plan to a node, its page, both factory resets, full and destroyed partitions, a second disk",
  async run(world) {
    // A chain of one validator listens for nobody.
    const host = await NodeNetwork.start(world.place, "system-network", { validators: 4 });
    const { image, at } = await makeBox(world, host);
    const machine = await world.start("system", at);
    const trial: SystemTrial = { world, machine, page: new BoxPage(machine, world.place), at, host, faults: [] };
    try {
      await mistakenPlan(trial);
      await correctedPlan(trial);
      await resetOfSettings(trial);
      await fullData(trial);
      await resetOfEverything(trial);
      await damagedStorage(trial);
    } finally {
      await machine.cut();
      await host.stop();
    }
    await secondDisk(trial, image);
    return trial.faults;
  },
};

async function makeBox(world: ImageWorld, host: NodeNetwork): Promise<{ readonly image: string; readonly at: Resting }> {
  const folder = join(world.folder, "system");
  mkdirSync(folder);
  const order = { folder, architecture: "amd64", version: "1.0.0", hasDebugShell: true, keys: join(world.folder, "keys") } as const;
  const { image } = await world.table.time("build", "image without a home", () => buildTrialImage(order));
  const provisioned = join(folder, "provisioned.img");
  copyFileSync(image, provisioned);
  writeFileSync(join(folder, "provision.json"), JSON.stringify(planFor(host)));
  copyFileSync(host.net.genesis, join(folder, "genesis.json"));
  await bizraJson("image", "provision", provisioned, join(folder, "provision.json"));
  const found = Buffer.from(await Bun.file(provisioned).bytes()).indexOf('"mill-7"'); // what somebody does with an editor
  const file = Bun.file(provisioned);
  if (found < 0) throw new Error("the plan is not in the image");
  const bytes = new Uint8Array(await file.arrayBuffer());
  bytes.set(new TextEncoder().encode('"mill 7"'), found);
  await Bun.write(provisioned, bytes);
  return { image, at: { disk: await overlayDisk(provisioned, join(folder, "disk.qcow2")), vars: join(folder, "vars.qcow2") } };
}

/** What the box is to be: the address is the one that it has, so that its ports are still forwarded. */
function planFor(host: NodeNetwork): object {
  const chain = {
    genesis: host.net.hash.toString("hex"),
    role: "observer",
    peers: [`${host.keyOf(0)}@${HOST_ADDRESS}:${host.placeOf(0).port}`],
  };
  const network = { method: "static", address: "10.0.2.15/24", gateway: HOST_ADDRESS, dns: ["10.0.2.3"] };
  const ssh = { keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAUDIRHo7MkCXmQ2eyzfwZLC7Psf2zhbbVy0ZSNNgNnI operator"] };
  return { schema: 1, hostname: "mill-7", network, ntp: ["10.0.2.4"], chain, ssh };
}

async function mistakenPlan(trial: SystemTrial): Promise<void> {
  const { machine, page, world } = trial;
  await world.table.time("system", "power to page", () => machine.answers("/api/glance", START_LIMIT_MS, ({ ok }) => ok, "page"));
  const status = await statusSays(machine, "provision.json has a mistake; nothing was changed:");
  expectThat(trial, status.includes("hostname: expected a host name such as mill-7"), `status.txt does not say what is wrong: ${status}`);
  const there = await machine.must(`ls ${BOX_HOME}/genesis.json /data/system/hostname 2>/dev/null; hostname`);
  expectThat(trial, there === "bizra", `a mistaken plan changed something: ${there}`);
  const hardware = JSON.parse(await machine.must(`bizra box hardware --home ${BOX_HOME} --json || true`)) as Record<string, unknown>;
  const { clock, readOnly } = hardware as { clock: { isSynchronized?: boolean }; readOnly: string[] };
  expectThat(trial, clock.isSynchronized === false && readOnly.length === 0, `the hardware is told as ${JSON.stringify(hardware)}`);
  await page.logIn(status);
  await page.browser((open) => open.until("doing", (text) => text.includes("hostname: expected a host name")));
  await page.picture("box-vm-1-mistake");
}

async function correctedPlan(trial: SystemTrial): Promise<void> {
  const { machine, page, host, world } = trial;
  await page.propose(JSON.stringify(planFor(host), null, 2));
  await world.table.time("system", "corrected plan to ready", () => statusSays(machine, "State: ready"));
  const status = await statusSays(machine, "has no ssh server");
  expectThat(trial, status.includes("Name: mill-7"), `status.txt does not name the box: ${status}`);
  await machine.until("have the name of its plan", START_LIMIT_MS, async () =>
    (await machine.run("hostname")).out.trim() === "mill-7" ? true : undefined,
  );
  const isStatic = async (): Promise<true | undefined> => {
    const { out } = await machine.run(
      "ip -4 -o address show scope global; ip route show default; resolvectl dns; cat /run/systemd/timesyncd.conf.d/*",
    );
    return out.includes("10.0.2.15/24") && !out.includes("dynamic") && out.includes("via 10.0.2.2 ") && out.includes("NTP=10.0.2.4")
      ? true
      : undefined;
  };
  await machine.until("have the address of its plan, and no lease", START_LIMIT_MS, isStatic);
  await world.table.time("system", "from there to a node level with the chain", () =>
    machine.until("be level with the chain", START_LIMIT_MS, nodeIsReady(machine)),
  );
  await page.browser((open) => open.until("findings", (text) => text !== ""));
  const [view, logs] = [await page.ask("/api/view"), await page.ask("/api/logs")];
  expectThat(
    trial,
    view.includes('["Supervisor","running"]') && view.includes('["State","idle"]'),
    `the page does not reach the main process: ${view}`,
  );
  expectThat(trial, logs.includes("node.started"), `the page does not show the node's lines: ${logs.slice(0, 500)}`);
  await page.picture("box-vm-2-ready");
}

/** Whether the node answers from within that it is ready. */
export function nodeIsReady(machine: Machine): () => Promise<true | undefined> {
  const request =
    "exec 3<>/dev/tcp/127.0.0.1/8645 && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && head -n 1 <&3";
  return async () => ((await machine.run(request, 30_000)).out.includes(" 200 ") ? true : undefined);
}

const keyOf = (machine: Machine): Promise<string> =>
  machine.must(`sed -n 's/.*"publicKey": *"\\([0-9a-f]*\\)".*/\\1/p' ${BOX_HOME}/keys/validator.json`);

async function resetOfSettings(trial: SystemTrial): Promise<void> {
  const { machine, page, world } = trial;
  const kept = `cd ${BOX_HOME} && ls -d keys/validator.json keys/identity.json journal chain.db genesis.json signstate/custody && sha256sum keys/*.json genesis.json`;
  const before = await machine.must(kept);
  expectThat(trial, (await page.reset("settings", "please")).includes('Type the word "reset"'), "the page resets a box without the word");
  await world.table.time("system", "reset of the settings, by the page", () => page.reset("settings", "reset"));
  const status = await statusSays(machine, "State: keyed");
  expectThat(trial, !status.includes("mill-7"), `status.txt still names the plan: ${status}`);
  const after = await machine.must(kept);
  expectThat(trial, after === before, `a reset of the settings changed what it keeps: ${before} became ${after}`);
  const left = `ls -A /data/system; ls ${BOX_HOME}/box/console.json 2>/dev/null; grep -c 10.0.2.2 ${BOX_HOME}/node.toml; true`;
  const gone = await machine.must(left);
  expectThat(trial, gone === "0", `a reset of the settings left ${gone}`);
  await machine.until("have lost the name of its plan", START_LIMIT_MS, async () =>
    (await machine.run("hostname")).out.trim() === "bizra" ? true : undefined,
  );
  expectThat(
    trial,
    (await machine.run("ls /run/systemd/network/10-bizra.network")).code !== 0,
    "the network of the plan is still in force",
  );
  expectThat(trial, (await fetch(`${machine.url("page")}/api/view`)).status === 401, "the page tells a stranger");
}

async function resetOfEverything(trial: SystemTrial): Promise<void> {
  const { machine, world } = trial;
  const before = await keyOf(machine);
  const apart = await machine.must("find /signstate/bizra -type f | sort");
  expectThat(trial, apart.includes(`${before}.binding`), `the key is not bound on signstate: ${apart}`);
  const refused = await machine.run(`bizra box reset --everything --home ${BOX_HOME}`);
  expectThat(
    trial,
    refused.code !== 0 && refused.out.includes(`--confirm ${before.slice(0, 8)}`),
    `no confirmation is asked for: ${refused.out}`,
  );
  const order = `bizra box reset --everything --home ${BOX_HOME} --confirm ${before.slice(0, 8)}`;
  await world.table.time("system", "reset of everything, by the command", () => machine.must(order, 300_000));
  const hasNewKey = async (): Promise<true | undefined> => {
    const { out } = await machine.run(`sed -n 's/.*"publicKey": *"\\([0-9a-f]*\\)".*/\\1/p' ${BOX_HOME}/keys/validator.json 2>/dev/null`);
    return out.trim() !== "" && out.trim() !== before ? true : undefined;
  };
  await machine.until("make a key of its own again", START_LIMIT_MS, hasNewKey);
  await statusSays(machine, "State: keyed");
  const left = await machine.must(`ls -d ${BOX_HOME}/chain.db ${BOX_HOME}/genesis.json ${BOX_HOME}/batches 2>/dev/null; true`);
  expectThat(trial, left === "", `a reset of everything left ${left}`);
  const still = await machine.must("find /signstate/bizra -type f | sort");
  expectThat(
    trial,
    apart.split("\n").every((path) => still.includes(path)),
    `a reset took from signstate: ${apart} became ${still}`,
  );
}

/** The same image on a second disk, plugged in before the box's own: the box starts from its own, and takes nothing of the other. */
async function secondDisk(trial: SystemTrial, image: string): Promise<void> {
  const { world, at } = trial;
  const folder = join(world.folder, "system");
  const stick = await overlayDisk(image, join(folder, "stick.qcow2"));
  await trial.machine.cut();
  const disks = [at.disk, { ...stick, model: "usb" as const }];
  const machine = world.place.keep(
    await Machine.start({ architecture: "amd64", start: { by: "firmware", vars: at.vars }, disks, folder: join(folder, "two-disks") }),
  );
  try {
    await machine.shellIsThere();
    const said = await machine.must(
      "dmesg | grep 'several disks'; for label in bootstate PROVISION signstate data root-A root-B; do readlink /dev/bizra/$label; done",
    );
    const others = said.split("\n").filter((line) => line.startsWith("../") && !line.startsWith("../vda"));
    expectThat(trial, said.includes("the one that was booted is vda") && others.length === 0, `the box took of another disk: ${said}`);
    const devices = await machine.must(
      "findmnt -rno SOURCE /data; findmnt -rno SOURCE /bootstate; findmnt -rno SOURCE /provision; findmnt -rno SOURCE /signstate || true",
    ); // what was destroyed before is mounted from nowhere
    expectThat(
      trial,
      devices.split("\n").every((device) => device === "data" || device.startsWith("/dev/vda")),
      `mounted are ${devices}`,
    );
  } finally {
    await machine.cut();
  }
}
