import { mkdirSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeCounters, FIRST_COUNTERS } from "../boot/grub-config.ts";
import { type PlacedPartition, SECTOR_BYTES } from "../layout/partitions.ts";
import { IMAGE_EPOCH_SECONDS, runTool } from "../tools.ts";

/** The partition that firmware starts from. Not written at run time. */
export async function makeEfiPartition(
  { sizeBytes }: PlacedPartition,
  files: ReadonlyMap<string, Uint8Array>,
  work: string,
): Promise<Uint8Array> {
  const folders = new Set(
    [...files.keys()].flatMap((path) =>
      path
        .split("/")
        .slice(0, -1)
        .map((_, depth, parts) => parts.slice(0, depth + 1).join("/")),
    ),
  );
  return makeFat({ sizeBytes, label: "ESP", id: "b12a0001", folders: [...folders], files }, work);
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
  const name = "grubenv";
  writeFileSync(join(folder, name), encodeCounters(FIRST_COUNTERS));
  for (const path of [join(folder, name), folder]) utimesSync(path, IMAGE_EPOCH_SECONDS, IMAGE_EPOCH_SECONDS);
  const plan = { type: "ext2", sizeBytes: partition.sizeBytes, label: "bootstate", id: partition.id, from: folder } as const;
  const path = join(work, "ext-bootstate");
  writeFileSync(path, await makeExt(plan, work));
  // When a file's inode was last changed is taken over too, and no file can be given another such time.
  for (const inode of ["/", `/${name}`])
    await runTool("debugfs", ["-w", "-R", `set_inode_field ${inode} ctime @${IMAGE_EPOCH_SECONDS}`, path]);
  return new Uint8Array(readFileSync(path));
}
