import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { assert } from "../../src/kernel/index.ts";
import type { ObjectStorePort } from "./ports.ts";

const NAME = /^[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/;
const UNFINISHED = ".new";

/**
 * Objects as files of a folder: a disk of its own, or a mounted share. Off the calling thread, each written beside its
 * place, synced and moved.
 *
 * @throws Error with an errno code from every method when the folder does not serve
 */
export function folderObjects(folder: string): ObjectStorePort {
  const pathOf = (name: string): string => {
    assert(NAME.test(name) && name.length <= 512, "an object's name is plain");
    return join(folder, name);
  };
  return {
    async put(name, bytes) {
      const path = pathOf(name);
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const file = await open(`${path}${UNFINISHED}`, "w", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}${UNFINISHED}`, path);
      const parent = await open(dirname(path), "r");
      await parent.sync().finally(() => parent.close());
    },
    async get(name) {
      try {
        return new Uint8Array(await readFile(pathOf(name)));
      } catch (error) {
        if (!isAbsent(error)) throw error;
        return undefined;
      }
    },
    async list(prefix, after, limit) {
      const found: { name: string; sizeBytes: number }[] = [];
      const within = prefix.slice(0, prefix.lastIndexOf("/") + 1);
      for (const name of await namesBelow(folder, within)) {
        if (!name.startsWith(prefix) || name <= after || name.endsWith(UNFINISHED)) continue;
        found.push({ name, sizeBytes: (await stat(join(folder, name))).size });
        if (found.length === limit) break;
      }
      return found;
    },
    async delete(name) {
      await rm(pathOf(name), { force: true });
    },
    async close() {},
  };
}

/** Names of all files below a folder of the store, in order. */
async function namesBelow(folder: string, within: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(join(folder, within), { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map((entry) => join(entry.parentPath, entry.name).slice(join(folder, "/").length)).sort();
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return [];
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
