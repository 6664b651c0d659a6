import { assert } from "../../kernel/index.ts";
import type { FileSystem } from "../../storage/index.ts";
import { type RunEntry, type RunFile, RunWriter } from "./run-file.ts";
import type { RunHeader } from "./run-format.ts";

/**
 * A run being written, a slice at a time: from memory, or from older runs that it will replace. It counts only once it
 * has been synced and renamed into place.
 */
export class RunJob {
  /** Where the finished run will stand. */
  readonly target: string;
  /** Runs that it replaces; none when it comes from memory. */
  readonly replaced: readonly RunFile[];
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #writer: RunWriter;
  readonly #entries: Iterator<RunEntry>;
  #stage: "writing" | "syncing" | "synced" = "writing";
  #failure: unknown;
  #synced: Promise<void> = Promise.resolve();

  constructor(fs: FileSystem, target: string, header: RunHeader, entries: Iterator<RunEntry>, replaced: readonly RunFile[]) {
    this.#fs = fs;
    this.target = target;
    this.#path = `${target}.new`;
    this.replaced = replaced;
    this.#entries = entries;
    this.#writer = new RunWriter(fs, this.#path, header);
  }

  /** Settles when a sync under way has ended, well or not. */
  get synced(): Promise<void> {
    return this.#synced;
  }

  /**
   * Writes up to `slice` entries, or starts the sync, or puts the synced run in place.
   *
   * @returns whether the run now is in place
   * @throws StorageError when the disk does not serve or an input is damaged; the job is then to be abandoned
   */
  step(slice: number): boolean {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#stage === "writing" && this.#write(slice)) this.#startSync();
    if (this.#stage !== "synced") return false;
    this.#putInPlace();
    return true;
  }

  /**
   * Writes the rest, syncs and puts the run in place before it returns. Not while a sync is under way.
   *
   * @throws StorageError as `step`
   */
  finish(): void {
    assert(this.#stage === "writing", "a run is finished at once only before its sync has begun");
    this.#write(Number.POSITIVE_INFINITY);
    this.#writer.sync();
    this.#putInPlace();
  }

  #putInPlace(): void {
    this.#writer.close();
    this.#fs.rename(this.#path, this.target);
    this.#fs.syncDirectory(this.target.slice(0, this.target.lastIndexOf("/")));
  }

  /** Gives up what was written so far. */
  abandon(): void {
    this.#writer.close();
    if (this.#fs.stat(this.#path) !== undefined) this.#fs.remove(this.#path);
  }

  /** Whether all of it is written. */
  #write(slice: number): boolean {
    for (let written = 0; written < slice; written++) {
      const next = this.#entries.next();
      if (next.done === true) {
        this.#writer.finish();
        return true;
      }
      this.#writer.add(next.value);
    }
    return false;
  }

  #startSync(): void {
    this.#stage = "syncing";
    this.#synced = this.#writer.syncAsync().then(
      () => {
        this.#stage = "synced";
      },
      (error: unknown) => {
        this.#failure = error;
      },
    );
  }
}
