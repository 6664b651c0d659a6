import { closeSync, copyFileSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openKeys } from "../../../image/signing/keys.ts";
import type { Machine } from "../../e2e/image/machine.ts";
import type { ImageWorld } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";
import { BOX_HOME, orderUpdate, settlesOn } from "./updating.ts";

/** The release that a box of 1.0.0 is updated to: the same program under another version, unless a build names another. */
const NEXT = "1.1.0";
/** What such an update may cost: its hash tree, what the version is in, and what lies around that. */
const FETCHED_BYTES_MAX = 8_000_000;

/** Updates as they should go, and bundles that must not be taken. */
export const updates: Scenario = {
  name: "updates",
  summary: "an update fetches what the slots lack and is committed; bundles that are not for this box are refused before a slot is touched",
  async run(world) {
    const { machine } = await world.startCommitted("updates");
    const faults = [...(await tryRefusals(world, machine)), ...(await tryUpdate(world, machine))];
    await machine.cut();
    return faults;
  },
};

/** A bundle that a box must refuse: how it is made, and the code that says why. */
type Wrong = { readonly code: string; readonly make: (world: ImageWorld, path: string) => Promise<string> };

const WRONG: Readonly<Record<string, Wrong>> = {
  truncated: {
    code: "truncated",
    make: async (world, path) => changed(await world.bundle(NEXT), path, (file) => truncateSync(file, 50_000_000)),
  },
  tampered: { code: "tampered", make: async (world, path) => changed(await world.bundle(NEXT), path, spoil) },
  foreign: { code: "foreignSignature", make: (world, path) => smallBundle(world, path, { signer: "strangers" }) },
  older: { code: "downgrade", make: (world, path) => smallBundle(world, path, { version: "0.9.0" }) },
  "wrong board's": { code: "wrongBoard", make: (world, path) => smallBundle(world, path, { compatible: "bizra-arm64-generic" }) },
};

async function tryRefusals(world: ImageWorld, machine: Machine): Promise<readonly string[]> {
  const faults: string[] = [];
  const before = await slotSums(machine);
  for (const [name, { code, make }] of Object.entries(WRONG)) {
    const url = world.server.serve(await make(world, join(world.folder, `wrong-${code}.raucb`)), `wrong-${code}.raucb`);
    world.server.takeCount();
    const said = await world.table.time("updates", `refused: ${name}`, () =>
      machine.run(`bizra update install ${url} --home ${BOX_HOME}`, START_LIMIT_MS),
    );
    const { bytes } = world.server.takeCount();
    if (said.code === 0 || !said.out.includes(`(${code})`))
      faults.push(`a ${name} bundle was answered with ${said.code}: ${said.out.slice(-300)}`);
    if (name !== "tampered" && bytes > 200_000) faults.push(`${bytes} bytes of a ${name} bundle were fetched before it was refused`);
  }
  if ((await slotSums(machine)) !== before) faults.push("a slot was touched by a bundle that was refused");
  return faults;
}

async function tryUpdate(world: ImageWorld, machine: Machine): Promise<readonly string[]> {
  const url = await world.bundleUrl(NEXT);
  world.server.takeCount();
  await orderUpdate(machine, url);
  await world.table.time("updates", "ordered to restart", () => machine.restarts(1, START_LIMIT_MS));
  const { bytes, requests } = world.server.takeCount();
  await world.table.time("updates", "restart to committed on the new slot", () => settlesOn(machine, { slot: "B", version: NEXT }, 1));
  const whole = Bun.file(await world.bundle(NEXT)).size;
  console.log(`updates: ${bytes} bytes in ${requests} requests, of a bundle of ${whole}`);
  const record = await machine.must(`cat ${BOX_HOME}/box/update.json`);
  return [
    ...(bytes <= FETCHED_BYTES_MAX ? [] : [`${bytes} bytes were fetched of ${whole}, more than ${FETCHED_BYTES_MAX}`]),
    ...(record.includes('"kind":"good"') ? [] : [`the record says ${record}`]),
  ];
}

/** What the slots that do not run hold. */
async function slotSums(machine: Machine): Promise<string> {
  return await machine.must("head -c 8388608 /dev/bizra/root-B | sha256sum; head -c 8388608 /dev/bizra/boot-B | sha256sum", START_LIMIT_MS);
}

function changed(from: string, path: string, change: (path: string) => void): string {
  copyFileSync(from, path);
  change(path);
  return path;
}

/** Changes a byte of what no slot has yet: the bundle's own first block. */
function spoil(path: string): void {
  const file = openSync(path, "r+");
  writeSync(file, Uint8Array.of(0xff), 0, 1, 2_000);
  closeSync(file);
}

/** A bundle that is right in all but what is named, with little in it: it is refused before that counts. */
async function smallBundle(
  world: ImageWorld,
  path: string,
  wrong: { readonly signer?: string; readonly version?: string; readonly compatible?: string },
): Promise<string> {
  const { keys: own, manifest } = await world.image("1.0.0");
  const { certificate, key, authority } = await openKeys(wrong.signer === undefined ? own : join(world.folder, wrong.signer));
  const content = `${path}.content`;
  mkdirSync(content);
  writeFileSync(join(content, "root.img"), crypto.getRandomValues(new Uint8Array(65_536)));
  const { version = NEXT, compatible = manifest.compatible } = wrong;
  const lines = [
    "[update]",
    `compatible=${compatible}`,
    `version=${version}`,
    "[bundle]",
    "format=verity",
    "[image.rootfs]",
    "filename=root.img",
  ];
  writeFileSync(join(content, "manifest.raucm"), `${lines.join("\n")}\n`);
  const words = ["rauc", "bundle", `--cert=${certificate}`, `--key=${key}`, `--keyring=${authority}`, content, path];
  const child = Bun.spawn(words, { stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`rauc bundle failed: ${said}`);
  return path;
}
