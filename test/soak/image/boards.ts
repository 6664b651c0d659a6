import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MIB } from "../../../image/layout/partitions.ts";
import { verifyImage } from "../../../image/verify.ts";
import { Machine } from "../../e2e/image/machine.ts";
import { DISK_BYTES, type DiskModel, overlayDisk } from "../../e2e/image/machine-disk.ts";
import type { MachineOrder } from "../../e2e/image/machine-words.ts";
import { RaspberryMachine } from "../../e2e/image/raspberry-machine.ts";
import { buildTrialImage, type TrialImage } from "../../e2e/image/trial-image.ts";
import { compileForArm } from "./builds.ts";
import type { ImageWorld } from "./image-world.ts";
import { START_LIMIT_MS } from "./limits.ts";
import type { Scenario } from "./scenario.ts";

/** What the console shows when the slot of a first start is committed. */
const COMMITTED = "bizra-gate: slot A is good";

/** What the description of a Raspberry Pi calls its power management, of which the watchdog is a part. */
const WATCHDOG = "brcm,bcm2835-pm";

/** Disks and network cards that the generic kernel has drivers for and the cloud kernel lacks; firmware finds no card reader here. */
const HARDWARE: readonly {
  readonly disk: DiskModel;
  readonly network: NonNullable<MachineOrder["network"]>;
  readonly by: "firmware" | "kernel";
}[] = [
  { disk: "sata", network: "e1000e", by: "firmware" },
  { disk: "nvme", network: "rtl8139", by: "firmware" },
  { disk: "usb", network: "e1000e", by: "firmware" },
  { disk: "sd", network: "rtl8139", by: "kernel" },
];

/** The images for real machines, on what can be emulated of them. */
export const boards: Scenario = {
  name: "boards",
  summary: "the generic kernel on SATA, NVMe, USB and SD; arm64 by UEFI; the image for Raspberry Pi from U-Boot on",
  async run(world) {
    const generic = await buildFor(world, "amd64", {});
    for (const hardware of HARDWARE) await startOn(world, generic, "amd64", hardware);
    const program = await world.table.time("boards", "program for arm64", compileForArm);
    const arm = await buildFor(world, "arm64", { program });
    await startOn(world, arm, "arm64", { disk: "virtio", network: "virtio-net-pci", by: "firmware" });
    return await tryRaspberry(world, program);
  },
};

async function buildFor(world: ImageWorld, architecture: "amd64" | "arm64", more: { readonly program?: string }): Promise<TrialImage> {
  const folder = join(world.folder, `boards-${architecture}`);
  mkdirSync(folder);
  const order = { folder, architecture, version: "1.0.0", kernel: "generic", home: await world.home(), ...more } as const;
  const image = await world.table.time("boards", `${architecture}, image with the generic kernel`, () => buildTrialImage(order));
  world.table.note("boards", `${architecture}, compressed`, `${(statSync(`${image.image}.zst`).size / 1e6).toFixed(1)} MB`);
  return image;
}

/** From power on to a ready node and a committed slot; throws when either does not come. */
async function startOn(
  world: ImageWorld,
  { image, boot, manifest }: TrialImage,
  architecture: "amd64" | "arm64",
  { disk, network, by }: (typeof HARDWARE)[number],
): Promise<void> {
  const folder = join(world.folder, `boards-${architecture}-${disk}`);
  mkdirSync(folder);
  const start =
    by === "firmware"
      ? ({ by, vars: join(folder, "vars") } as const)
      : ({ by, kernel: boot.kernel, initrd: boot.initrd, slot: "A", manifest } as const);
  const disks = [{ ...(await overlayDisk(image, join(folder, "disk.qcow2"))), model: disk }];
  const machine = world.place.keep(await Machine.start({ architecture, start, disks, folder, network }));
  const name = `${architecture}, ${disk}, ${network}, by ${by}`;
  await world.table.time("boards", `${name}: ready node`, () => machine.answers("/readyz", START_LIMIT_MS));
  await world.table.time("boards", `${name}: from there to committed slot`, () => machine.says(COMMITTED, START_LIMIT_MS));
  await machine.cut();
}

/** The very image, its U-Boot and its card on an emulated Raspberry Pi 3, the only one with a card that there is. */
async function tryRaspberry(world: ImageWorld, program: string): Promise<readonly string[]> {
  const folder = join(world.folder, "boards-raspberry-pi");
  mkdirSync(folder);
  const order = { folder, program, architecture: "arm64", board: "raspberry-pi", version: "1.0.0", home: await world.home() } as const;
  const built = await world.table.time("boards", "image for Raspberry Pi", () => buildTrialImage(order));
  world.table.note("boards", "Raspberry Pi, compressed", `${(statSync(`${built.image}.zst`).size / 1e6).toFixed(1)} MB`);
  const { isGood, checks } = await verifyImage({ path: built.image, authority: join(built.keys, "ca.cert.pem") });
  const faults = isGood ? [] : checks.filter(({ isOk }) => !isOk).map(({ check, detail }) => `Raspberry Pi: ${check}: ${detail}`);

  const card = join(folder, "card.img");
  copyFileSync(built.image, card);
  truncateSync(card, DISK_BYTES);
  const loader = join(folder, "u-boot.bin");
  await run("mcopy", "-i", `${card}@@${MIB}`, "::u-boot.bin", loader);
  const machine = world.place.keep(RaspberryMachine.start({ loader, tree: await treeOf(folder), card, folder: join(folder, "machine") }));
  await world.table.time("boards", "Raspberry Pi: committed slot", () => machine.says(COMMITTED, START_LIMIT_MS));
  machine.kill();
  return faults;
}

/**
 * The description of the emulated board, which images lack, from the kernel's package that the build fetched. Without its
 * watchdog: the emulator restarts at once when that is set, whatever time it is given.
 */
async function treeOf(folder: string): Promise<string> {
  const packages = join(process.env["E2E_PACKAGES"] ?? join(folder, "packages"), "trixie-arm64/debs");
  const kernel = readdirSync(packages)
    .filter((name) => /^linux-image-\d.*_arm64\.deb$/.test(name))
    .sort()
    .at(-1);
  const into = join(folder, "kernel");
  await run("dpkg-deb", "--extract", join(packages, kernel ?? "linux-image"), into);
  for (const release of readdirSync(join(into, "usr/lib"))) {
    const tree = join(into, "usr/lib", release, "broadcom/bcm2837-rpi-3-b.dtb");
    if (existsSync(tree)) return withoutWatchdog(tree, join(folder, "tree.dtb"));
  }
  throw new Error("the kernel's package has no description of a Raspberry Pi 3");
}

function withoutWatchdog(from: string, to: string): string {
  const text = readFileSync(from, "latin1");
  if (!text.includes(WATCHDOG)) throw new Error(`the description of a Raspberry Pi 3 has no ${WATCHDOG}`);
  writeFileSync(to, text.replaceAll(WATCHDOG, WATCHDOG.replace("brcm", "none")), "latin1");
  return to;
}

async function run(...words: readonly string[]): Promise<void> {
  const child = Bun.spawn({ cmd: [...words], stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`${words[0]} failed: ${said}`);
}
