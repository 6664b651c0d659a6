import type { FileSystem, OpenFile } from "./file-system.ts";
import { segmentName } from "./log-format.ts";

/** Keeps the closed segment that was read last open: readers come in order, mostly. */
export class SegmentReader {
  readonly #fs: FileSystem;
  readonly #directory: string;
  #open: { readonly number: number; readonly file: OpenFile } | undefined;

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs;
    this.#directory = directory;
  }

  /** The file of this segment. @throws StorageError `missing` when it was dropped */
  of(number: number): OpenFile {
    if (this.#open?.number !== number) {
      this.close();
      this.#open = { number, file: this.#fs.open(`${this.#directory}/${segmentName(number)}`, "read") };
    }
    return this.#open.file;
  }

  /** Lets go. */
  close(): void {
    this.#open?.file.close();
    this.#open = undefined;
  }
}
