import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { BOX } from "./box-files.ts";
import { FREE_BYTES_MIN } from "./conditions.ts";

/** Enough for a reset's order, the record of provisioning, an update's state, and settings, many times over. */
const BALLAST_BYTES = 4 * 1024 * 1024;
/** With less than this free it is not laid: it is for others to have. */
const LAID_ABOVE_BYTES = 16 * BALLAST_BYTES;

/**
 * Keeps some room of a home's disk aside while there is plenty, and gives it back when the disk is full, so that a full
 * box can still be told what to do: its few small files then have a place. The node takes none of it: it stops taking
 * anything in long before (storage.freeBytesReserve).
 *
 * @param freeBytes what the disk has free for this user
 */
export function keepBallast(home: string, freeBytes = freeBytesOf(home)): void {
  const path = join(home, BOX.ballast);
  try {
    if (freeBytes < FREE_BYTES_MIN) rmSync(path, { force: true });
    else if (freeBytes > LAID_ABOVE_BYTES && !existsSync(path)) lay(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error; // a disk that takes nothing has no room to keep
  }
}

function freeBytesOf(home: string): number {
  const { bavail, bsize } = statfsSync(home);
  return bavail * bsize;
}

function lay(path: string): void {
  const file = openSync(path, "w", 0o600);
  try {
    writeSync(file, new Uint8Array(BALLAST_BYTES));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
