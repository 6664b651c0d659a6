import { closeSync, existsSync, fstatSync, openSync } from "node:fs";
import { BACKUP_BYTES, decodeGpt, type GptEntry, type GptFault, PRIMARY_BYTES } from "../layout/gpt.ts";
import { DISK_ID, type PartitionLabel } from "../layout/partitions.ts";
import { ImageFailure } from "../tools.ts";
import { readPart } from "./raw-image.ts";

/** An image, opened, with its table. */
export type OpenedDisk = { readonly path: string; readonly file: number; readonly bytes: number; readonly entries: readonly GptEntry[] };

/** What each fault of a table means for who has the image. */
const SENTENCES = {
  noTable: "it has no partition table",
  wrongChecksum: "its partition table is damaged",
  copiesDiffer: "the two copies of its partition table differ",
  beyondDisk: "it is cut short",
} as const satisfies Record<GptFault, string>;

/**
 * Opens an image and checks its table.
 *
 * @throws ImageFailure when there is none, or it is no image of ours
 */
export function openDisk(path: string, mode: "r" | "r+"): OpenedDisk {
  if (!existsSync(path)) throw new ImageFailure(`expected an image at ${path}, where there is nothing`);
  const file = openSync(path, mode);
  try {
    const bytes = fstatSync(file).size;
    const backup = readPart(file, Math.max(0, bytes - BACKUP_BYTES), BACKUP_BYTES);
    const gpt = decodeGpt(readPart(file, 0, PRIMARY_BYTES), backup, bytes);
    if (!gpt.ok) throw new ImageFailure(`expected an image at ${path}: ${SENTENCES[gpt.error]}`);
    if (gpt.value.diskId !== DISK_ID) throw new ImageFailure(`expected an image of a box at ${path}, got another disk`);
    return { path, file, bytes, entries: gpt.value.entries };
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** A partition of an image by its label. */
export function partitionOf({ path, entries }: OpenedDisk, label: PartitionLabel): GptEntry {
  const found = entries.find((entry) => entry.label === label);
  if (found === undefined) throw new ImageFailure(`expected a partition ${label} in ${path}`);
  return found;
}
