import { closeSync, mkdtempSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "../src/kernel/index.ts";
import { makeFat } from "./disk/file-systems.ts";
import { openDisk, partitionOf } from "./disk/opened-disk.ts";
import { readPart } from "./disk/raw-image.ts";
import { provisionReadme } from "./provision-readme.ts";
import { ImageFailure, requireTools, tryTool } from "./tools.ts";

/** Files that the partition may be given, as boxes look for them. */
const GIVEN_FILES = ["provision.json", "genesis.json"] as const;

/** What a person gives a box: its plan, and the genesis document of its network where it does not know that yet. */
export type GivenFiles = Readonly<Partial<Record<(typeof GIVEN_FILES)[number], Uint8Array>>>;

/** Identity of the partition's file system; fixed, so that equal files give equal partitions. */
const PARTITION_ID = "b12a0003";

/**
 * The provisioning partition with these files. The same files always give the same bytes, by which verification can tell
 * whether a partition holds anything else.
 */
export async function makeProvisionPartition(given: GivenFiles, sizeBytes: number, work: string): Promise<Uint8Array> {
  const files = new Map<string, Uint8Array>([["README.TXT", utf8(provisionReadme())]]);
  for (const name of GIVEN_FILES) {
    const content = given[name];
    if (content !== undefined) files.set(name, content);
  }
  return makeFat({ sizeBytes, label: "PROVISION", id: PARTITION_ID, folders: [], files }, work);
}

/**
 * Puts files into an image's provisioning partition, in place of what it had. Nothing is mounted. Whether the plan makes
 * sense is for the caller to judge.
 *
 * @param path an uncompressed image, or a file with a disk written from one
 * @throws ImageFailure when it is none
 */
export async function provisionImage(path: string, given: GivenFiles): Promise<void> {
  requireTools("provision an image", ["mkfs.vfat", "mcopy", "mmd"]);
  const disk = openDisk(path, "r+");
  const work = mkdtempSync(join(tmpdir(), "bizra-provision-"));
  try {
    const partition = partitionOf(disk, "PROVISION");
    const content = await makeProvisionPartition(given, partition.sizeBytes, work);
    writeSync(disk.file, content, 0, content.length, partition.offsetBytes);
  } finally {
    closeSync(disk.file);
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Reads the given files back from a partition's bytes.
 *
 * @param content the partition
 */
export async function readGivenFiles(content: Uint8Array, work: string): Promise<GivenFiles> {
  const path = join(work, "given-files");
  writeFileSync(path, content);
  const found: Partial<Record<(typeof GIVEN_FILES)[number], Uint8Array>> = {};
  for (const name of GIVEN_FILES) {
    const { code, out } = await tryTool("mtype", ["-i", path, `::${name}`]);
    if (code === 0) found[name] = out;
  }
  return found;
}

/** The provisioning partition of an image as it is. */
export function readProvisionPartition(path: string): Uint8Array {
  const disk = openDisk(path, "r");
  try {
    const { offsetBytes, sizeBytes } = partitionOf(disk, "PROVISION");
    const content = readPart(disk.file, offsetBytes, sizeBytes);
    if (content.length < sizeBytes) throw new ImageFailure(`expected a whole image at ${path}, but it is cut short`);
    return content;
  } finally {
    closeSync(disk.file);
  }
}
