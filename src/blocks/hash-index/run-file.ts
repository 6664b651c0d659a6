import { assert } from "../../kernel/index.ts";
import { type FileSystem, type OpenFile, StorageError } from "../../storage/index.ts";
import {
  dataPagesOf,
  decodeRunHeader,
  encodeRunHeader,
  isPageWhole,
  PAGE_BYTES,
  PAGE_ENTRIES,
  packedAt,
  prefixAt,
  prefixOf,
  putEntry,
  type RunHeader,
  runBytesOf,
  sealPage,
} from "./run-format.ts";

/** Pages next to the guessed one that are tried before the search halves what is left. */
const NEIGHBOURS_TRIED = 4;

/** One entry of a run: the first 64 bits of a hash and a packed position. */
export type RunEntry = { readonly prefix: bigint; readonly packed: number };

/** An immutable run on disk. Reads a page or a few for a look-up; keeps nothing in memory. */
export class RunFile {
  readonly path: string;
  readonly header: RunHeader;
  readonly #file: OpenFile;
  readonly #page = new Uint8Array(PAGE_BYTES);

  /**
   * Opens a run, checking its header and length.
   *
   * @throws StorageError `damaged` when it is not what was written
   */
  constructor(fs: FileSystem, path: string) {
    this.path = path;
    this.#file = fs.open(path, "read");
    const isRead = this.#file.read(0, this.#page) === PAGE_BYTES;
    const header = isRead ? decodeRunHeader(this.#page) : undefined;
    if (!header || this.#file.size() !== runBytesOf(header.count)) {
      this.#file.close();
      throw new StorageError("damaged", path, "its header or length is not what was written");
    }
    this.header = header;
  }

  /** Packed positions stored under the first 64 bits of a hash: usually none or one. */
  find(hash: Uint8Array): readonly number[] {
    if (this.header.count === 0) return [];
    const wanted = prefixOf(hash);
    const first = this.#firstPageReaching(wanted);
    const found: number[] = [];
    for (let number = first; number < dataPagesOf(this.header.count); number++) {
      const entries = this.#load(number);
      for (let slot = lowerBound(this.#page, entries, wanted); slot < entries; slot++) {
        if (prefixAt(this.#page, slot) !== wanted) return found;
        found.push(packedAt(this.#page, slot));
      }
    }
    return found;
  }

  /** Bytes of the file. */
  get sizeBytes(): number {
    return runBytesOf(this.header.count);
  }

  /**
   * Proves every page, one a step.
   *
   * @throws StorageError `damaged` at the first that is not what was written
   */
  *verify(): Generator<void, void, undefined> {
    for (let number = 0; number < dataPagesOf(this.header.count); number++) {
      this.#load(number);
      yield;
    }
  }

  /** Walks all entries in order, a page at a time. */
  *entries(): Generator<RunEntry, void, undefined> {
    const page = new Uint8Array(PAGE_BYTES);
    for (let number = 0; number < dataPagesOf(this.header.count); number++) {
      const entries = this.#load(number, page);
      for (let slot = 0; slot < entries; slot++) yield { prefix: prefixAt(page, slot), packed: packedAt(page, slot) };
    }
  }

  /** Releases the file. */
  close(): void {
    this.#file.close();
  }

  /**
   * The first page whose last prefix is not below the wanted one (the last page when there is none).
   *
   * Hashes are uniform, so the place is guessed by proportion and is off by a page or two at any size; should somebody
   * have ground hashes into one corner, halving takes over.
   */
  #firstPageReaching(wanted: bigint): number {
    let low = 0;
    let high = dataPagesOf(this.header.count) - 1;
    let guess = Math.min(high, Math.floor((Number(wanted) / 2 ** 64) * (this.header.count / PAGE_ENTRIES)));
    for (let steps = 1; low < high; steps++) {
      const entries = this.#load(guess);
      const isBelow = prefixAt(this.#page, entries - 1) < wanted;
      if (isBelow) low = guess + 1;
      else high = guess;
      if (!isBelow && prefixAt(this.#page, 0) < wanted) return guess;
      guess = steps > NEIGHBOURS_TRIED ? (low + high) >> 1 : isBelow ? low : Math.max(low, high - 1);
    }
    return low;
  }

  /** Reads a data page and checks it; gives how many entries it holds. */
  #load(number: number, page: Uint8Array = this.#page): number {
    assert(number >= 0 && number < dataPagesOf(this.header.count), "a page lies within its run");
    const count = this.#file.read((1 + number) * PAGE_BYTES, page);
    if (count !== PAGE_BYTES || !isPageWhole(page, 1 + number)) {
      throw new StorageError("damaged", this.path, `page ${1 + number} is not what was written`);
    }
    return Math.min(PAGE_ENTRIES, this.header.count - number * PAGE_ENTRIES);
  }
}

/** First slot whose prefix is not below the wanted one. */
function lowerBound(page: Uint8Array, entries: number, wanted: bigint): number {
  let low = 0;
  let high = entries;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (prefixAt(page, middle) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Writes a run in ascending order of entries, a page at a time; nothing of it counts until it is renamed into place. */
export class RunWriter {
  readonly #file: OpenFile;
  readonly #header: RunHeader;
  readonly #page = new Uint8Array(PAGE_BYTES);
  #written = 0;

  constructor(fs: FileSystem, path: string, header: RunHeader) {
    if (fs.stat(path) !== undefined) fs.remove(path);
    this.#file = fs.open(path, "createNew");
    this.#header = header;
  }

  /** Entries added so far. */
  get written(): number {
    return this.#written;
  }

  /** Adds the next entry. */
  add(entry: RunEntry): void {
    putEntry(this.#page, this.#written % PAGE_ENTRIES, entry.prefix, entry.packed);
    this.#written++;
    if (this.#written % PAGE_ENTRIES === 0) this.#flush();
  }

  /** Writes the last page and the header; what is left is to sync. */
  finish(): void {
    assert(this.#written === this.#header.count, "a run holds as many entries as its header says");
    if (this.#written % PAGE_ENTRIES !== 0) this.#flush();
    this.#file.write(0, encodeRunHeader(this.#header));
  }

  /** Makes it durable. */
  sync(): void {
    this.#file.sync();
  }

  /** Makes it durable off this thread. */
  syncAsync(): Promise<void> {
    return this.#file.syncAsync();
  }

  /** Releases the file. */
  close(): void {
    this.#file.close();
  }

  #flush(): void {
    const number = Math.ceil(this.#written / PAGE_ENTRIES);
    sealPage(this.#page, number);
    this.#file.write(number * PAGE_BYTES, this.#page);
    this.#page.fill(0);
  }
}
