import { assert, Prng, present } from "../kernel/index.ts";
import { type FileStat, type FileSystem, type OpenFile, type OpenMode, parentOf } from "./file-system.ts";
import { DiskFile } from "./memory-disk.ts";
import { StorageError } from "./storage-error.ts";

/** What a simulated disk is about to do; a test may throw here to stop the process just before it. */
export interface DiskEffect {
  readonly operation: "create" | "write" | "truncate" | "sync" | "syncStart" | "rename" | "remove" | "makeDirectory" | "syncDirectory";
  readonly path: string;
}

/** How a simulated disk behaves. Everything it draws comes from `prng`, so equal seeds give equal runs. */
export interface MemoryDiskOptions {
  /** Decides the fate of un-synced changes; default a fixed seed. */
  readonly prng?: Prng;
  /** Bytes of all files together above which writes answer `diskFull`; default unlimited. */
  readonly capacityBytes?: number;
  /**
   * Whether a sector written whole that a crash tears may hold neither its old nor its new content; default false. A disk
   * that garbles sectors written in part harms durable neighbours, which no log survives: not modelled.
   */
  readonly hasGarbledSectors?: boolean;
  /** Called before each effect. */
  readonly onEffect?: (effect: DiskEffect) => void;
  /** Runs the completion of an asynchronous sync later, e.g. by a simulated timer; default the next microtask. */
  readonly afterSyncTime?: (complete: () => void) => void;
}

type Entry = Folder | DiskFile;

/** A change to a folder that its sync has not made durable yet; several names when one step changes several. */
type FolderChange = ReadonlyMap<string, Entry | undefined>;

class Folder {
  entries = new Map<string, Entry>();
  onDisk = new Map<string, Entry>();
  changes: FolderChange[] = [];

  change(change: FolderChange): void {
    applyTo(this.entries, change);
    this.changes.push(change);
  }

  sync(): void {
    this.onDisk = new Map(this.entries);
    this.changes = [];
  }

  /** Metadata is journaled in order: a crash keeps a prefix of the un-synced changes. */
  crash(prng: Prng, hasGarbledSectors: boolean): void {
    const kept = prng.below(this.changes.length + 1);
    for (const change of this.changes.slice(0, kept)) applyTo(this.onDisk, change);
    this.changes = [];
    this.entries = new Map(this.onDisk);
    for (const name of [...this.entries.keys()].sort()) this.entries.get(name)?.crash(prng, hasGarbledSectors);
  }
}

function applyTo(entries: Map<string, Entry>, change: FolderChange): void {
  for (const [name, entry] of change) {
    if (entry === undefined) entries.delete(name);
    else entries.set(name, entry);
  }
}

/**
 * A disk in memory with a fault model, for the simulator and for tests: un-synced changes are lost or torn at a crash,
 * syncs and reads fail or lie on demand, space runs out, bits flip. Deterministic from its seed. Paths start at `/`.
 */
export class MemoryFileSystem implements FileSystem {
  readonly #root = new Folder();
  readonly #prng: Prng;
  readonly #options: MemoryDiskOptions;
  #failingReads: { readonly path: string; readonly from: number; readonly to: number }[] = [];
  /** Raised by a crash; handles of an earlier life are dead. */
  life = 0;
  /** Syncs, of files whose path starts with `failingSyncPath`, that will fail. */
  failingSyncCount = 0;
  failingSyncPath = "/";
  /** Whether syncs return without making anything durable (a lying disk). */
  liesAboutSync = false;
  /** Bytes of all files together above which writes answer `diskFull`. */
  capacityBytes: number;
  /** Syncs that returned, and bytes written, since the start: for cost assertions in tests. */
  syncCount = 0;
  writtenBytes = 0;

  constructor(options: MemoryDiskOptions = {}) {
    this.#options = options;
    this.#prng = options.prng ?? new Prng(1);
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
  }

  open(path: string, mode: OpenMode): OpenFile {
    const found = this.#find(path);
    if (mode === "createNew") {
      if (found !== undefined) throw new StorageError("exists", path, "open failed, the file exists");
      const folder = this.#folder(parentOf(path));
      this.effect("create", path);
      const file = new DiskFile();
      folder.change(new Map([[nameOf(path), file]]));
      return new MemoryFile(this, path, file, mode);
    }
    return new MemoryFile(this, path, this.#file(path), mode);
  }

  readFile(path: string): Uint8Array {
    const file = this.#file(path);
    this.checkReadable(path, 0, file.seen.length);
    return file.seen.slice();
  }

  stat(path: string): FileStat | undefined {
    const found = this.#find(path);
    if (found === undefined) return undefined;
    return found instanceof Folder ? { sizeBytes: 0, isDirectory: true } : { sizeBytes: found.seen.length, isDirectory: false };
  }

  list(directory: string): readonly string[] {
    return [...this.#folder(directory).entries.keys()].sort();
  }

  rename(from: string, to: string): void {
    const moved = this.#find(from);
    if (moved === undefined) throw new StorageError("missing", from, "rename failed, no such entry");
    const replaced = this.#find(to);
    if (replaced instanceof Folder && replaced.entries.size > 0)
      throw new StorageError("exists", to, "rename failed, the folder is not empty");
    const source = this.#folder(parentOf(from));
    const target = this.#folder(parentOf(to));
    this.effect("rename", from);
    if (source === target) {
      source.change(
        new Map<string, Entry | undefined>([
          [nameOf(from), undefined],
          [nameOf(to), moved],
        ]),
      );
      return;
    }
    target.change(new Map([[nameOf(to), moved]]));
    source.change(new Map([[nameOf(from), undefined]]));
  }

  remove(path: string): void {
    const found = this.#find(path);
    if (found === undefined) throw new StorageError("missing", path, "remove failed, no such entry");
    if (found instanceof Folder && found.entries.size > 0) throw new StorageError("exists", path, "remove failed, the folder is not empty");
    this.effect("remove", path);
    this.#folder(parentOf(path)).change(new Map([[nameOf(path), undefined]]));
  }

  makeDirectory(path: string): void {
    const found = this.#find(path);
    if (found instanceof Folder) return;
    if (found !== undefined) throw new StorageError("exists", path, "mkdir failed, a file has that name");
    this.effect("makeDirectory", path);
    this.#folder(parentOf(path)).change(new Map([[nameOf(path), new Folder()]]));
  }

  syncDirectory(path: string): void {
    const folder = this.#folder(path);
    this.effect("syncDirectory", path);
    if (!this.liesAboutSync) folder.sync();
  }

  /** Cuts the power and starts again: un-synced changes meet their fate, handles die, running syncs never return. */
  crash(): void {
    this.life++;
    this.#root.crash(this.#prng, this.#options.hasGarbledSectors === true);
  }

  /** Kills the process but not the machine: handles die, everything written stays. */
  kill(): void {
    this.life++;
  }

  /** Paths of all files, in order. */
  files(under = "/"): readonly string[] {
    const found = this.#find(under);
    if (!(found instanceof Folder)) return found === undefined ? [] : [under];
    return [...found.entries.keys()].sort().flatMap((name) => this.files(under === "/" ? `/${name}` : `${under}/${name}`));
  }

  /** Damage at rest: changes one bit, counted from the start of the file. */
  flipBit(path: string, bit: number): void {
    this.#file(path).flipBit(bit);
  }

  /** Loses a file or folder with all that is in it, durably. */
  wipe(path: string): void {
    const folder = this.#folder(parentOf(path));
    folder.entries.delete(nameOf(path));
    folder.onDisk.delete(nameOf(path));
  }

  /** Makes reads that touch these bytes fail until `healReads`. */
  failReads(path: string, from = 0, to: number = Number.POSITIVE_INFINITY): void {
    this.#failingReads.push({ path, from, to });
  }

  /** Ends all read errors. */
  healReads(): void {
    this.#failingReads = [];
  }

  /** What is durable right now: file contents by path. */
  image(): ReadonlyMap<string, Uint8Array> {
    const image = new Map<string, Uint8Array>();
    const visit = (folder: Folder, at: string): void => {
      for (const [name, entry] of folder.onDisk) {
        if (entry instanceof Folder) visit(entry, `${at}/${name}`);
        else image.set(`${at}/${name}`, entry.onDisk.slice());
      }
    };
    visit(this.#root, "");
    return image;
  }

  /** The durable bytes of a file, not a copy; undefined when the disk holds no such file. */
  durable(path: string): Uint8Array | undefined {
    let at: Entry | undefined = this.#root;
    for (const name of path.split("/")) if (name !== "") at = at instanceof Folder ? at.onDisk.get(name) : undefined;
    return at instanceof DiskFile ? at.onDisk : undefined;
  }

  /** Replaces everything below a folder by what an image holds there, durably: an old backup is restored. */
  restore(image: ReadonlyMap<string, Uint8Array>, under: string): void {
    for (const path of this.files(under)) if (!image.has(path)) this.wipe(path);
    for (const [path, content] of image) {
      if (!path.startsWith(`${under}/`)) continue;
      this.wipe(path);
      const file = new DiskFile();
      file.write(0, content);
      file.settle(file.changeCount);
      const folder = this.#folder(parentOf(path));
      folder.entries.set(nameOf(path), file);
      folder.onDisk.set(nameOf(path), file);
    }
  }

  /** Announces an effect; used by the files of this disk. */
  effect(operation: DiskEffect["operation"], path: string): void {
    this.#options.onEffect?.({ operation, path });
  }

  /** Throws when a read error is set on any of these bytes; used by the files of this disk. */
  checkReadable(path: string, from: number, to: number): void {
    for (const failing of this.#failingReads) {
      if (failing.path === path && failing.from < to && from < failing.to) throw new StorageError("ioFailed", path, "read failed (EIO)");
    }
  }

  /** Bytes that can still be written; used by the files of this disk. */
  freeBytes(): number {
    let used = 0;
    for (const path of this.files()) used += this.#file(path).seen.length;
    return this.capacityBytes - used;
  }

  /** Ends a sync of a file up to a mark, well, badly or mendaciously; used by the files of this disk. */
  completeSync(path: string, file: DiskFile, changeCount: number): void {
    if (this.failingSyncCount > 0 && path.startsWith(this.failingSyncPath)) {
      this.failingSyncCount--;
      file.settleFaultily(changeCount, this.#prng);
      throw new StorageError("ioFailed", path, "sync failed (EIO)");
    }
    this.syncCount++;
    if (!this.liesAboutSync) file.settle(changeCount);
  }

  /** Runs a completion after the time a sync takes; used by the files of this disk. */
  afterSyncTime(complete: () => void): void {
    if (this.#options.afterSyncTime === undefined) queueMicrotask(complete);
    else this.#options.afterSyncTime(complete);
  }

  #find(path: string): Entry | undefined {
    assert(path.startsWith("/"), "a path on a simulated disk is absolute");
    let at: Entry | undefined = this.#root;
    for (const name of path.split("/")) {
      if (name === "") continue;
      at = at instanceof Folder ? at.entries.get(name) : undefined;
    }
    return at;
  }

  #folder(path: string): Folder {
    const found = this.#find(path);
    if (!(found instanceof Folder)) throw new StorageError("missing", path, "no such folder");
    return found;
  }

  #file(path: string): DiskFile {
    const found = this.#find(path);
    if (!(found instanceof DiskFile)) throw new StorageError("missing", path, "no such file");
    return found;
  }
}

function nameOf(path: string): string {
  return present(path.split("/").at(-1), "a path names an entry");
}

class MemoryFile implements OpenFile {
  readonly path: string;
  readonly #disk: MemoryFileSystem;
  readonly #file: DiskFile;
  readonly #life: number;
  readonly #isWritable: boolean;
  #isClosed = false;

  constructor(disk: MemoryFileSystem, path: string, file: DiskFile, mode: OpenMode) {
    this.#disk = disk;
    this.path = path;
    this.#file = file;
    this.#life = disk.life;
    this.#isWritable = mode !== "read";
  }

  size(): number {
    this.#checkAlive();
    return this.#file.seen.length;
  }

  read(position: number, target: Uint8Array): number {
    this.#checkAlive();
    const end = Math.min(position + target.length, this.#file.seen.length);
    if (end <= position) return 0;
    this.#disk.checkReadable(this.path, position, end);
    target.set(this.#file.seen.subarray(position, end));
    return end - position;
  }

  write(position: number, bytes: Uint8Array): void {
    this.#checkWritable();
    this.#disk.effect("write", this.path);
    const grows = Math.max(0, position + bytes.length - Math.max(position, this.#file.seen.length));
    const free = grows === 0 || this.#disk.capacityBytes === Number.POSITIVE_INFINITY ? grows : this.#disk.freeBytes();
    const fits = grows <= free ? bytes.length : Math.max(0, bytes.length - (grows - Math.max(0, free)));
    this.#disk.writtenBytes += fits;
    if (fits > 0) this.#file.write(position, bytes.subarray(0, fits));
    if (fits < bytes.length) throw new StorageError("diskFull", this.path, "write failed (ENOSPC)");
  }

  truncate(sizeBytes: number): void {
    this.#checkWritable();
    this.#disk.effect("truncate", this.path);
    this.#file.truncate(sizeBytes);
  }

  sync(): void {
    this.#checkAlive();
    this.#disk.effect("sync", this.path);
    this.#disk.completeSync(this.path, this.#file, this.#file.changeCount);
  }

  syncAsync(): Promise<void> {
    this.#checkAlive();
    this.#disk.effect("syncStart", this.path);
    const mark = this.#file.changeCount;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#disk.afterSyncTime(() => {
      if (this.#disk.life !== this.#life) return;
      try {
        this.#disk.effect("sync", this.path);
        this.#disk.completeSync(this.path, this.#file, mark);
        resolve();
      } catch (error) {
        reject(error); // whatever it is belongs to the waiter
      }
    });
    return promise;
  }

  close(): void {
    this.#isClosed = true;
  }

  #checkAlive(): void {
    assert(!this.#isClosed, "a closed file is not used");
    if (this.#disk.life !== this.#life) throw new StorageError("ioFailed", this.path, "the machine went down since this file was opened");
  }

  #checkWritable(): void {
    this.#checkAlive();
    if (!this.#isWritable) throw new StorageError("denied", this.path, "write failed, the file was opened to read");
  }
}
