import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Entropy, toHex } from "../../kernel/index.ts";
import { checkObjectName, checkObjectPrefix } from "./object-names.ts";
import type { ObjectStore } from "./object-store.ts";

/** Ends the names of files that are being written; no object's name has an upper-case letter. */
const PARTIAL = ".PART";

/**
 * Objects as files below one folder. A file appears whole under its name or not at all: written beside, synced, renamed, and
 * the folders synced. What a crash leaves half written is never listed.
 */
export class FileObjects implements ObjectStore {
  readonly kind = "files";
  readonly #folder: string;
  readonly #entropy: Entropy;

  constructor(folder: string, entropy: Entropy) {
    this.#folder = folder;
    this.#entropy = entropy;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.#folder, checkObjectName(name));
    const beside = `${path}.${toHex(this.#entropy.bytes(8))}${PARTIAL}`;
    const made = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    try {
      const file = await open(beside, "wx", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(beside, path);
    } catch (error) {
      await rm(beside, { force: true });
      throw error;
    }
    await syncFolders(dirname(path), made === undefined ? dirname(path) : dirname(made));
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    try {
      return new Uint8Array(await readFile(join(this.#folder, checkObjectName(name))));
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async getPart(name: string, from: number, to: number): Promise<Uint8Array | undefined> {
    try {
      const file = await open(join(this.#folder, checkObjectName(name)), "r");
      try {
        const part = Buffer.alloc(Math.max(0, to - from));
        const { bytesRead } = await file.read(part, 0, part.length, from);
        return new Uint8Array(part.subarray(0, bytesRead));
      } finally {
        await file.close();
      }
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async list(prefix: string, after: string, limit: number): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]> {
    const names = await this.#namesBelow("", checkObjectPrefix(prefix), after);
    const wanted = names.sort().slice(0, limit); // names are ASCII: code units are bytes, as S3 orders them
    return Promise.all(wanted.map(async (name) => ({ name, sizeBytes: (await stat(join(this.#folder, name))).size })));
  }

  async delete(name: string): Promise<void> {
    const path = join(this.#folder, checkObjectName(name));
    await rm(path, { force: true });
    await syncFolders(dirname(path), dirname(path)).catch((error: unknown) => {
      if (!isAbsent(error)) throw error; // there was never anything to remove
    });
  }

  async close(): Promise<void> {}

  async #namesBelow(folder: string, prefix: string, after: string): Promise<string[]> {
    const names: string[] = [];
    for (const entry of await this.#entries(folder)) {
      const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
      const mayLead = name.startsWith(prefix) || prefix.startsWith(`${name}/`);
      if (entry.isDirectory() && mayLead) names.push(...(await this.#namesBelow(name, prefix, after)));
      else if (entry.isFile() && name.startsWith(prefix) && name > after && !name.endsWith(PARTIAL)) names.push(name);
    }
    return names;
  }

  async #entries(folder: string) {
    try {
      return await readdir(join(this.#folder, folder), { withFileTypes: true });
    } catch (error) {
      if (isAbsent(error)) return [];
      throw error;
    }
  }
}

/** Makes the entries of a folder durable, and those of the folders above it up to the first that is older. */
async function syncFolders(from: string, upTo: string): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (folder === upTo || folder.length <= upTo.length) return;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
