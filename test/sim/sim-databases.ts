import { type Database, type DatabaseOptions, MemoryDatabaseFile, parentOf, StorageError } from "../../src/storage/index.ts";
import type { BoxParts } from "./insides.ts";

/** Room that a commit takes. */
const COMMIT_BYTES = 4_096;

/** The databases of one box: in memory, outliving its processes, each with a file on the simulated disk that stands for it. */
export class SimDatabases {
  readonly #box: BoxParts;
  readonly #files = new Map<string, MemoryDatabaseFile>();

  constructor(box: BoxParts) {
    this.#box = box;
  }

  /** As storage's `openDatabase`. */
  open(options: DatabaseOptions): Database {
    const { disk, prng, onEffect } = this.#box;
    const { path, create } = options;
    if (disk.stat(path) === undefined) {
      if (!create) throw new StorageError("missing", path, "there is no such database");
      this.#files.set(
        path,
        new MemoryDatabaseFile(options, prng, ({ operation }) => {
          onEffect(operation === "commit" ? "commit" : "other");
          if (operation === "commit") this.#requireRoom(path);
        }),
      );
      disk.open(path, "createNew").close();
      disk.syncDirectory(parentOf(path));
    }
    const file = this.#files.get(path);
    if (file === undefined) throw new StorageError("missing", path, "its content is gone");
    return file.open();
  }

  /** A database's file by its path; undefined before it was made. */
  find(path: string): MemoryDatabaseFile | undefined {
    return this.#files.get(path);
  }

  /** Content of each, by path. */
  images(): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.#files].map(([path, file]) => [path, file.image()]));
  }

  /** Puts back what an image holds and lets go of the rest; the files that stand for them are the disk's. */
  restore(images: ReadonlyMap<string, Uint8Array>): void {
    for (const [path, file] of [...this.#files]) {
      const image = images.get(path);
      if (image) file.restore(image);
      else this.#files.delete(path);
    }
  }

  /** The run is over. */
  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }

  /** Rows lie elsewhere in memory, but a disk without room has none for them either. */
  #requireRoom(path: string): void {
    const { disk } = this.#box;
    if (disk.capacityBytes === Number.POSITIVE_INFINITY || disk.freeBytes() >= COMMIT_BYTES) return;
    throw new StorageError("diskFull", path, "commit failed (ENOSPC)");
  }

  /** The process is gone, and with `isPowerCut` what no sync had reached. */
  crash(isPowerCut: boolean): void {
    for (const file of this.#files.values()) file.crash(isPowerCut);
  }
}
