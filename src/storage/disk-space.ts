import { statfsSync } from "node:fs";
import { assert } from "../kernel/index.ts";
import { translatingErrno } from "./storage-error.ts";

/** How much room is left: `low` slows what can wait, `critical` refuses what is new. */
export type SpaceLevel = "ample" | "low" | "critical";

/** Below which free space a level begins, in bytes; critical is the smaller. */
export interface SpaceThresholds {
  readonly lowBytes: number;
  readonly criticalBytes: number;
}

/** Room on the file system of a folder. */
export interface DiskSpace {
  /** Bytes that this process may still write. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly level: SpaceLevel;
}

/** Thresholds for a card of 8 GB and up: a day of full load below low, recovery and clean shutdown below critical. */
const DEFAULT_SPACE_THRESHOLDS: SpaceThresholds = { lowBytes: 512 * 1024 * 1024, criticalBytes: 128 * 1024 * 1024 };

/** Measures the room on the file system that holds this path. @throws StorageError when the path does not exist */
export function measureDiskSpace(path: string, thresholds: SpaceThresholds = DEFAULT_SPACE_THRESHOLDS): DiskSpace {
  assert(thresholds.criticalBytes <= thresholds.lowBytes, "critical lies below low");
  const found = translatingErrno("statfs", path, () => statfsSync(path));
  const freeBytes = found.bavail * found.bsize;
  return { freeBytes, totalBytes: found.blocks * found.bsize, level: spaceLevel(freeBytes, thresholds) };
}

/** The level at this much free space. */
export function spaceLevel(freeBytes: number, thresholds: SpaceThresholds): SpaceLevel {
  if (freeBytes < thresholds.criticalBytes) return "critical";
  return freeBytes < thresholds.lowBytes ? "low" : "ample";
}
