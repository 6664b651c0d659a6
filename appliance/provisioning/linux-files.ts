import { closeSync, existsSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import type { BoxFiles } from "./platform.ts";

/** The files of this machine, each change durable: data first, then its name. */
export const linuxFiles: BoxFiles = {
  hasFolder: (path) => existsSync(path),

  read(path, bytesMax) {
    const file = opened(path, "r");
    if (file === undefined) return undefined;
    try {
      const bytes = new Uint8Array(Math.min(fstatSync(file).size, bytesMax + 1));
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(file);
    }
  },

  replace(path, text, mode) {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(`${path}.new`, "w", mode);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
    syncFolder(dirname(path));
  },

  rename(path, other) {
    renameSync(path, other);
    syncFolder(dirname(other));
  },

  blank(path) {
    const file = opened(path, "r+");
    if (file === undefined) return;
    try {
      writeSync(file, Buffer.alloc(fstatSync(file).size, " "), 0, undefined, 0);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  },

  remove(path) {
    if (!existsSync(path)) return;
    rmSync(path);
    syncFolder(dirname(path));
  },
};

function opened(path: string, flags: "r" | "r+"): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR")) return undefined;
    throw error;
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
