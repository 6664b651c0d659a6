import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { encodeCounters, FIRST_COUNTERS, grubConfig } from "../boot/grub-config.ts";
import { type Architecture, type PlacedPartition, SECTOR_BYTES } from "../layout/partitions.ts";
import { runTool } from "../tools.ts";

/** What GRUB must be able to do before it has read anything but itself. */
const GRUB_MODULES = [
  "boot",
  "configfile",
  "datehook",
  "echo",
  "ext2",
  "linux",
  "loadenv",
  "memdisk",
  "minicmd",
  "normal",
  "part_gpt",
  "reboot",
  "regexp",
  "search",
  "search_fs_uuid",
  "sleep",
  "squash4",
  "tar",
  "terminal",
  "test",
  "zstd",
] as const;

/** Where the loader finds its configuration within itself; in a folder, since without one it would look on the disk. */
const LOADER_CONFIG = "boot/grub/grub.cfg";

/** What differs between the loaders of the two processors. */
const LOADERS = {
  amd64: { format: "x86_64-efi", file: "BOOTX64.EFI", modules: ["serial"] },
  arm64: { format: "arm64-efi", file: "BOOTAA64.EFI", modules: [] },
} as const;

/**
 * The boot loader: one EFI program that holds its modules and its configuration.
 *
 * @param grub the unpacked package of GRUB's modules
 */
export async function makeLoader(architecture: Architecture, grub: string, work: string): Promise<Uint8Array> {
  const { format, modules } = LOADERS[architecture];
  const folder = join(work, "loader");
  mkdirSync(dirname(join(folder, LOADER_CONFIG)), { recursive: true });
  writeFileSync(join(folder, LOADER_CONFIG), grubConfig(architecture));
  const memory = join(work, "loader.tar");
  const fixed = ["--format=ustar", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=0644"];
  await runTool("tar", ["--create", "--file", memory, "--directory", folder, ...fixed, LOADER_CONFIG]);
  const path = join(work, "loader.efi");
  const source = ["--directory", join(grub, "usr/lib/grub", format), "--format", format];
  await runTool("grub-mkimage", [
    ...source,
    "--memdisk",
    memory,
    "--prefix",
    `(memdisk)/${dirname(LOADER_CONFIG)}`,
    "--output",
    path,
    ...GRUB_MODULES,
    ...modules,
  ]);
  return new Uint8Array(readFileSync(path));
}

/** The partition that firmware starts from: nothing but the loader. Not written at run time. */
export async function makeEfiPartition(
  partition: PlacedPartition,
  architecture: Architecture,
  loader: Uint8Array,
  work: string,
): Promise<Uint8Array> {
  const files = new Map([[`EFI/BOOT/${LOADERS[architecture].file}`, loader]]);
  return makeFat({ sizeBytes: partition.sizeBytes, label: "ESP", id: "b12a0001", folders: ["EFI", "EFI/BOOT"], files }, work);
}

/** Fewer clusters than this are no FAT32, whatever the label says (Microsoft's FAT specification, 1.03). */
const FAT32_CLUSTERS_MIN = 65_525;
/** Sectors that a FAT32 of this size spends on itself, generously. */
const FAT32_OVERHEAD_SECTORS = 2_048;

/** A FAT file system to be made. */
export type FatPlan = {
  readonly sizeBytes: number;
  readonly label: string;
  readonly id: string;
  readonly folders: readonly string[];
  readonly files: ReadonlyMap<string, Uint8Array>;
};

/** A FAT file system with some files, made without mounting it. */
export async function makeFat(plan: FatPlan, work: string): Promise<Uint8Array> {
  const path = join(work, `fat-${plan.label}`);
  rmSync(path, { force: true });
  writeFileSync(path, "");
  truncateSync(path, plan.sizeBytes);
  const isLarge = plan.sizeBytes / SECTOR_BYTES - FAT32_OVERHEAD_SECTORS >= FAT32_CLUSTERS_MIN;
  const kind = isLarge ? ["-F", "32", "-s", "1"] : ["-F", "16"];
  await runTool("mkfs.vfat", [...kind, "-n", plan.label, "-i", plan.id, "--invariant", path]);
  for (const folder of plan.folders) await runTool("mmd", ["-i", path, `::${folder}`]);
  for (const [name, content] of plan.files) await runTool("mcopy", ["-i", path, "-", `::${name}`], { input: content });
  return new Uint8Array(readFileSync(path));
}

/** An ext file system to be made. */
export type ExtPlan = {
  readonly type: "ext2" | "ext4";
  readonly sizeBytes: number;
  readonly label: string;
  readonly id: string;
  /** Folder whose files it begins with. */
  readonly from?: string;
};

/** An ext2 or ext4 file system, made without mounting it. */
export async function makeExt(plan: ExtPlan, work: string): Promise<Uint8Array> {
  const path = join(work, `ext-${plan.label}`);
  rmSync(path, { force: true });
  const options = ["-q", "-t", plan.type, "-F", "-L", plan.label, "-U", plan.id, "-m", "1", "-b", "4096"];
  const fixed = ["-E", `hash_seed=${plan.id},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0`];
  const from = plan.from === undefined ? [] : ["-d", plan.from];
  await runTool("mke2fs", [...options, ...fixed, ...from, path, `${plan.sizeBytes / 1024}k`]);
  return new Uint8Array(readFileSync(path));
}

/** The partition of the boot counters: one file of one block, that is only ever written in place. */
export async function makeBootState(partition: PlacedPartition, work: string): Promise<Uint8Array> {
  const folder = join(work, "bootstate");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "grubenv"), encodeCounters(FIRST_COUNTERS));
  return makeExt({ type: "ext2", sizeBytes: partition.sizeBytes, label: "bootstate", id: partition.id, from: folder }, work);
}
