import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kernel } from "../../../image/debian/package-sets.ts";
import type { Architecture, Board } from "../../../image/layout/partitions.ts";
import { type ImageManifest, parseManifest } from "../../../image/manifest.ts";
import { BINARY, bizra } from "../support/bizra.ts";
import { installPackages } from "../support/debian.ts";

/** What building an image and starting it takes, as Debian's packages. */
const PACKAGES = [
  "apt",
  "dosfstools",
  "e2fsprogs",
  "erofs-utils",
  "faketime",
  "grub-common",
  "kmod",
  "mtools",
  "openssl",
  "qemu-utils",
  "rauc",
  "sbsigntool",
  "squashfs-tools",
  "tar",
  "xz-utils",
] as const;

/** Installs what trials of both processors need; a sentence saying why it cannot, or undefined. */
export async function machineTools(): Promise<string | undefined> {
  return (await prepare("amd64")) ?? (await prepare("arm64"));
}

/** Installs what a trial needs; a sentence saying why it cannot, or undefined. */
export function prepare(architecture: Architecture): Promise<string | undefined> {
  const qemu = architecture === "amd64" ? ["qemu-system-x86", "ovmf"] : ["qemu-system-arm", "qemu-efi-aarch64"];
  return installPackages([...PACKAGES, ...qemu]);
}

/** A built image and what else a machine is started with. */
export type TrialImage = {
  readonly manifest: ImageManifest;
  readonly image: string;
  readonly boot: { readonly kernel: string; readonly initrd: string };
  /** Folder of what the build left, from which a bundle is made. */
  readonly out: string;
  /** Folder of the keys that signed it. */
  readonly keys: string;
};

/** What a trial's image is built with. */
export type TrialOrder = {
  readonly folder: string;
  readonly version: string;
  readonly architecture: Architecture;
  /** The program for that processor; default the binary under test. */
  readonly program?: string;
  /** Default: the smaller one, of virtual machines. */
  readonly kernel?: Kernel;
  /** Default: any machine with UEFI. */
  readonly board?: Board;
  /** A node's home that it begins with; without one it waits for its provisioning. */
  readonly home?: string;
  /** Whether commands can be run on it. */
  readonly hasDebugShell?: boolean;
  /** Signing keys; default the folder's own. */
  readonly keys?: string;
};

/** The packages that an image is made of could not be fetched: nothing that the image is to blame for. */
export class PackagesUnavailable extends Error {
  override readonly name = "PackagesUnavailable";
}

/** A home of a network of one, whose node answers other machines. */
export async function makeHome(folder: string): Promise<string> {
  const network = join(folder, "network");
  const made = await bizra("testnet", "--validators", "1", "--out", network);
  if (made.code !== 0) throw new Error(`bizra testnet failed: ${made.err}`);
  const home = join(network, "node0");
  const text = readFileSync(join(home, "node.toml"), "utf8").replace(/^listen = "127\.0\.0\.1:0"$/m, 'listen = "0.0.0.0:8645"');
  await Bun.write(join(home, "node.toml"), text);
  return home;
}

/** Builds an image by the command, as its user would; downloaded packages are kept in E2E_PACKAGES, or in the folder. */
export async function buildTrialImage(order: TrialOrder): Promise<TrialImage> {
  const {
    folder,
    version,
    architecture,
    board,
    kernel = board === undefined ? "cloud" : "generic",
    program = BINARY,
    keys = join(folder, "keys"),
  } = order;
  const out = join(folder, `out-${version}`);
  const words = ["image", "build", "--arch", architecture, "--kernel", kernel, "--version", version, "--out", out, "--json"];
  const places = ["--keys", keys, "--cache", process.env["E2E_PACKAGES"] ?? join(folder, "packages"), "--program", program];
  const more = [
    ...(order.home === undefined ? [] : ["--home", order.home]),
    ...(order.hasDebugShell ? ["--debug-shell"] : []),
    ...(board === undefined ? [] : ["--board", board]),
  ];
  const child = Bun.spawn({ cmd: [BINARY, ...words, ...places, ...more], stdout: "pipe", stderr: "pipe" });
  const [said, text] = await Promise.all([new Response(child.stderr).text(), new Response(child.stdout).text()]);
  appendFileSync(join(folder, "build.log"), said);
  if ((await child.exited) !== 0) {
    if (said.includes("fetching packages") && !said.includes("laying out the root")) throw new PackagesUnavailable(said.trim().slice(-500));
    throw new Error(`bizra image build failed: ${said}${text}`);
  }
  const name = `bizra-${architecture}-${board ?? kernel}-development${order.hasDebugShell ? "-debug" : ""}-${version}`;
  const manifest = parseManifest(readFileSync(join(out, `${name}.manifest.json`), "utf8"));
  if (!manifest.ok) throw new Error(manifest.error);
  const boot = await extractBoot(join(out, `${name}.boot`), join(folder, `boot-${version}`));
  return { manifest: manifest.value, image: join(out, `${name}.img`), boot, out, keys };
}

/** Kernel and initrd of a slot, out of its boot partition. */
async function extractBoot(slot: string, folder: string): Promise<TrialImage["boot"]> {
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true });
  const child = Bun.spawn({ cmd: ["unsquashfs", "-quiet", "-force", "-dest", folder, slot], stdout: "ignore", stderr: "pipe" });
  const said = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`unsquashfs failed: ${said}`);
  return { kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd.zst") };
}
