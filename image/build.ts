import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeInitrd } from "./boot/initrd.ts";
import { makeLoader } from "./boot/loader.ts";
import { DebianArchive, type FetchedPackage } from "./debian/archive.ts";
import { compareWithLock, type DebianPackage, type PackageLock } from "./debian/control.ts";
import type { Mirror } from "./debian/mirror.ts";
import { FIRMWARE_SUITE, packagesOf, SUITE } from "./debian/package-sets.ts";
import { compressImage } from "./disk/compressed.ts";
import { makeBootImage, makeRootImage } from "./disk/slot-images.ts";
import { ELF_MACHINE, readElfNeeds } from "./elf.ts";
import { sha256Hex } from "./hashes.ts";
import { formatManifest, type ImageManifest } from "./manifest.ts";
import { checkFirmware, firmwareFiles } from "./raspberry-pi/firmware-files.ts";
import { debugShellFiles } from "./rootfs/debug-shell.ts";
import { textFile } from "./rootfs/file.ts";
import { type ImageIdentity, imageName } from "./rootfs/identity.ts";
import { nodeFiles } from "./rootfs/node-files.ts";
import { addFiles, checkLibraries, complete, kernelReleaseOf, unpack } from "./rootfs/stage.ts";
import { systemFiles } from "./rootfs/system-files.ts";
import { describeMaterials } from "./sbom.ts";
import type { BootKeys } from "./signing/boot-keys.ts";
import { authorityText, type SigningKeys } from "./signing/keys.ts";
import { signFile } from "./signing/signature.ts";
import { ImageFailure, requireTools } from "./tools.ts";
import { writeDisk } from "./write-disk.ts";

/** What to build. */
export type BuildOrder = {
  readonly identity: ImageIdentity;
  /** The node's compiled program for the image's processor. */
  readonly program: { readonly path: string; readonly version: string };
  readonly keys: SigningKeys;
  readonly bootKeys: BootKeys;
  readonly mirror: Mirror;
  /** Folder for the results; made if need be. */
  readonly out: string;
  /** Folder that keeps downloaded packages for the next build. */
  readonly cache: string;
  /** Exact versions to take, as an earlier build wrote them. */
  readonly lock?: PackageLock;
  /** A node's home that the image begins with; for trials, since every copy would run the same keys. */
  readonly home?: string;
};

/** What a build left in its folder. */
export type BuiltImage = { readonly manifest: ImageManifest; readonly files: ImageFiles };

/** The files of an image, by what they are. */
export type ImageFiles = Readonly<
  Record<"image" | "compressed" | "manifest" | "signature" | "materials" | "lock" | "rootSlot" | "bootSlot", string>
>;

/** Where the files of an image are. */
export function filesOf(out: string, name: string): ImageFiles {
  const at = (ending: string): string => join(out, `${name}.${ending}`);
  return {
    image: at("img"),
    compressed: at("img.zst"),
    manifest: at("manifest.json"),
    signature: at("manifest.p7s"),
    materials: at("cdx.json"),
    lock: at("packages.json"),
    rootSlot: at("root"),
    bootSlot: at("boot"),
  };
}

/** Checks that this machine has what a build needs, before anything is fetched. */
export function requireBuildTools(): void {
  requireTools("build an image", [
    "apt-get",
    "debugfs",
    "depmod",
    "dpkg-deb",
    "faketime",
    "grub-mkimage",
    "mcopy",
    "mke2fs",
    "mkfs.erofs",
    "mkfs.vfat",
    "mksquashfs",
    "mmd",
    "openssl",
    "sbsign",
    "tar",
    "xz",
  ]);
}

/**
 * Builds an image: no root, no mount, no loop device. Equal programs, packages and keys give an equal root hash.
 *
 * @param report is told each step as it begins
 * @throws ImageFailure when a tool or a package is missing or something does not fit
 */
export async function buildImage(order: BuildOrder, report: (step: string) => void): Promise<BuiltImage> {
  const { identity, program, keys, out } = order;
  checkOrder(order);
  requireBuildTools();
  mkdirSync(out, { recursive: true });
  const work = mkdtempSync(join(out, ".building-"));
  const files = filesOf(out, imageName(identity));
  try {
    report("fetching packages");
    const fetched = await fetchAll(order);
    const packages = [...fetched.root, fetched.kernel, fetched.busybox, fetched.grub, ...fetched.board].map(
      ({ path: _, ...described }): DebianPackage => described,
    );
    const faults = order.lock === undefined ? [] : compareWithLock(packages, order.lock);
    if (faults.length > 0) throw new ImageFailure(`expected the packages of the lock: ${faults.slice(0, 5).join("; ")}`);
    const lockText = `${JSON.stringify({ suite: SUITE, packages } satisfies PackageLock, null, 1)}\n`;
    const nodeProgram = { version: program.version, sha256: sha256Hex(readFileSync(program.path)) };
    const materials = describeMaterials(identity, packages, nodeProgram);

    report("laying out the root");
    const root = join(work, "root");
    await unpack([...fetched.root, fetched.kernel], root);
    const release = kernelReleaseOf(root);
    const kernel = new Uint8Array(readFileSync(join(root, "boot", `vmlinuz-${release}`)));
    const board = join(work, "board");
    await unpack(fetched.board, board);
    const firmware = identity.board && firmwareFiles(board, join(root, "usr/lib", `linux-image-${release}`, "broadcom"));
    const added = [
      ...systemFiles(identity),
      ...nodeFiles(),
      ...(identity.hasDebugShell === true ? debugShellFiles() : []),
      textFile("etc/rauc/keyring.pem", authorityText(keys)),
      textFile("usr/share/bizra/materials.cdx.json", materials),
    ];
    addFiles(root, added, program.path);
    await complete(root);
    const lacking = checkLibraries(root, identity.architecture);
    if (lacking.length > 0)
      throw new ImageFailure(`expected every program of the root to find its libraries: ${lacking.slice(0, 5).join("; ")}`);

    report("making the slot");
    const tools = { busybox: join(work, "busybox"), grub: join(work, "grub") };
    await unpack([fetched.busybox], tools.busybox);
    await unpack([fetched.grub], tools.grub);
    const busybox = new Uint8Array(readFileSync(join(tools.busybox, "usr/bin/busybox")));
    const initrd = await makeInitrd(root, busybox);
    const { image, verity } = await makeRootImage(root, work);
    const slot = { root: image, boot: await makeBootImage({ kernel, initrd, verity }, order.bootKeys, work), verity };

    report("writing the disk");
    const loader = await makeLoader(identity.architecture, tools.grub, order.bootKeys, work);
    const manifest = await writeDisk(
      {
        ...{ identity, slot, loader, keys: order.bootKeys, path: files.image, work },
        ...(firmware === undefined ? {} : { firmware }),
        ...(order.home === undefined ? {} : { home: order.home }),
      },
      {
        node: nodeProgram,
        packagesSha256: sha256Hex(new TextEncoder().encode(lockText)),
        materialsSha256: sha256Hex(new TextEncoder().encode(materials)),
      },
    );
    writeFileSync(files.rootSlot, slot.root);
    writeFileSync(files.bootSlot, slot.boot);
    writeFileSync(files.lock, lockText);
    writeFileSync(files.materials, materials);
    writeFileSync(files.manifest, formatManifest(manifest));
    await signFile(files.manifest, files.signature, keys);
    report("compressing");
    await compressImage(files.image, files.compressed);
    return { manifest, files };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Refuses what would only be noticed after minutes, or on the box. */
function checkOrder({ identity, program, home, keys }: BuildOrder): void {
  if (!existsSync(program.path)) throw new ImageFailure(`expected the node's program at ${program.path}`);
  const needs = readElfNeeds(new Uint8Array(readFileSync(program.path)));
  if (needs?.machine !== ELF_MACHINE[identity.architecture])
    throw new ImageFailure(`expected a program for ${identity.architecture} at ${program.path}; build it, and name it with --program`);
  if (identity.board !== undefined && (identity.architecture !== "arm64" || identity.kernel !== "generic"))
    throw new ImageFailure(`expected arm64 and the generic kernel for the board ${identity.board}`);
  if (keys.variant !== identity.variant)
    throw new ImageFailure(`expected keys of the variant ${identity.variant}, got ${keys.variant} ones`);
  if (identity.hasDebugShell === true && identity.variant === "release")
    throw new ImageFailure("expected no --debug-shell: a release image has no way in");
  if (home === undefined) return;
  if (!existsSync(join(home, "genesis.json"))) throw new ImageFailure(`expected a node's home at ${home}, with its genesis.json`);
  if (identity.variant === "release")
    throw new ImageFailure("expected no --home: two boxes from one release image would vote with the same key");
}

type Fetched = {
  readonly root: readonly FetchedPackage[];
  readonly kernel: FetchedPackage;
  readonly busybox: FetchedPackage;
  readonly grub: FetchedPackage;
  /** What the board needs beyond. */
  readonly board: readonly FetchedPackage[];
};

async function fetchAll({ identity, cache, mirror, lock }: BuildOrder): Promise<Fetched> {
  const plan = packagesOf(identity.architecture, identity.kernel, identity.board);
  const further = plan.parts.board.length > 0 ? [`${FIRMWARE_SUITE} non-free-firmware`] : [];
  const archive = await DebianArchive.open(cache, identity.architecture, mirror, lock, further);
  const locked = lock?.packages.find(({ name }) => name.startsWith("linux-image-"))?.name;
  const root = await archive.fetchWithDependencies(plan.root);
  const kernel = await archive.fetchAlone(locked ?? (await archive.dependencyOf(plan.kernelOf)));
  const [busybox, grub] = [await archive.fetchAlone(plan.parts.busybox), await archive.fetchAlone(plan.parts.grub)];
  const board: FetchedPackage[] = [];
  for (const name of plan.parts.board) board.push(await archive.fetchAlone(name));
  for (const { name, version } of board) if (name === "raspi-firmware") checkFirmware(version);
  return { root, kernel, busybox, grub, board };
}
