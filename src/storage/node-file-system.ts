import * as node from "node:fs";
import type { FileStat, FileSystem, OpenFile, OpenMode } from "./file-system.ts";
import { StorageError, storageErrorOf, translatingErrno } from "./storage-error.ts";

/** Owner reads and writes, nobody else anything. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

const FLAGS: Readonly<Record<OpenMode, string>> = { read: "r", readWrite: "r+", createNew: "wx+" };

/** The disk of this machine, through node:fs. Files are made 0600, folders 0700. */
export const nodeFileSystem: FileSystem = {
  open(path: string, mode: OpenMode): OpenFile {
    return new NodeFile(
      path,
      translatingErrno("open", path, () => node.openSync(path, FLAGS[mode], FILE_MODE)),
    );
  },
  readFile(path: string): Uint8Array {
    return translatingErrno("read", path, () => new Uint8Array(node.readFileSync(path)));
  },
  stat(path: string): FileStat | undefined {
    const found = translatingErrno("stat", path, () => node.statSync(path, { throwIfNoEntry: false }));
    if (found === undefined) return undefined;
    return { sizeBytes: found.isDirectory() ? 0 : found.size, isDirectory: found.isDirectory() };
  },
  list(directory: string): readonly string[] {
    return translatingErrno("list", directory, () => node.readdirSync(directory)).sort();
  },
  rename(from: string, to: string): void {
    translatingErrno("rename", from, () => node.renameSync(from, to));
  },
  remove(path: string): void {
    translatingErrno("remove", path, () => {
      if (node.lstatSync(path).isDirectory()) node.rmdirSync(path);
      else node.unlinkSync(path);
    });
  },
  makeDirectory(path: string): void {
    if (nodeFileSystem.stat(path)?.isDirectory === true) return;
    translatingErrno("mkdir", path, () => node.mkdirSync(path, { mode: DIRECTORY_MODE }));
  },
  syncDirectory(path: string): void {
    translatingErrno("sync of folder", path, () => {
      const descriptor = node.openSync(path, "r");
      try {
        node.fsyncSync(descriptor);
      } finally {
        node.closeSync(descriptor);
      }
    });
  },
};

class NodeFile implements OpenFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(): number {
    return translatingErrno("stat", this.path, () => node.fstatSync(this.#descriptor).size);
  }

  read(position: number, target: Uint8Array): number {
    return translatingErrno("read", this.path, () => {
      let filled = 0;
      while (filled < target.length) {
        const count = node.readSync(this.#descriptor, target, filled, target.length - filled, position + filled);
        if (count === 0) break;
        filled += count;
      }
      return filled;
    });
  }

  write(position: number, bytes: Uint8Array): void {
    translatingErrno("write", this.path, () => {
      let written = 0;
      while (written < bytes.length) {
        const count = node.writeSync(this.#descriptor, bytes, written, bytes.length - written, position + written);
        if (count === 0) throw new StorageError("ioFailed", this.path, "write made no progress");
        written += count;
      }
    });
  }

  truncate(sizeBytes: number): void {
    translatingErrno("truncate", this.path, () => node.ftruncateSync(this.#descriptor, sizeBytes));
  }

  /** fdatasync: content and length, without the times that nobody reads. */
  sync(): void {
    translatingErrno("sync", this.path, () => node.fdatasyncSync(this.#descriptor));
  }

  syncAsync(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    node.fdatasync(this.#descriptor, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(storageErrorOf("sync", this.path, error));
    });
    return promise;
  }

  close(): void {
    translatingErrno("close", this.path, () => node.closeSync(this.#descriptor));
  }
}
