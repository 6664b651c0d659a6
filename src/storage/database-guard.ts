import { assert } from "../kernel/index.ts";
import { CommitMark, type CommitMarkContent, readWalProgress } from "./commit-mark.ts";
import type { DatabaseFiles } from "./database-files.ts";
import type { FileSystem, OpenFile } from "./file-system.ts";
import type { LogDamage } from "./log-damage.ts";
import { PageSums } from "./page-sums.ts";
import { StorageError } from "./storage-error.ts";
import { isSameSalt, walFrameOffset } from "./wal-format.ts";
import { inspectWal, type SoundWal, walFrameSums } from "./wal-inspection.ts";

/** What opening a database found. */
export interface DatabaseReport {
  /**
   * Commits since the database was made, counted over what is there now. Compare it with what another file remembers: a
   * smaller number means that commits are lost.
   */
  readonly commitCount: number;
  /** Bytes of the write-ahead log that were dropped: steps that never committed, or un-synced ones that a crash tore. */
  readonly droppedBytes: number;
  /**
   * Whether bytes of the write-ahead log that nobody needs any more, left from before the last checkpoint, are not what was
   * written: torn by a power cut, or else the disk is failing. Nothing is lost; the log is emptied.
   */
  readonly hasChangedLeftovers: boolean;
  /** Whether the file that says how far the log was committed could not be read; it is written anew. */
  readonly isMarkUnreadable: boolean;
  /** Bytes at the end of the page sums that were dropped as never synced; they proved nothing that is not proved now. */
  readonly droppedSumsBytes: number;
  /** Pages of the main file that were proved, and those left to `scrub`. */
  readonly provedPages: number;
  readonly unprovedPages: number;
}

/** How a database is guarded. */
export interface GuardOptions {
  /** Whether every commit is synced before the next begins. */
  readonly syncsEachCommit: boolean;
  /** This start of the machine, see `currentBoot`. */
  readonly boot: bigint;
  /** Bytes of the main file that are proved at opening, at most. */
  readonly verifyBytesMax: number;
}

/** Bytes of the main file read at a time. */
const SLICE_BYTES = 1024 * 1024;

/**
 * Watches the files of one database for bytes that SQLite would not miss: proves them before SQLite opens them, and keeps
 * the sums and the mark that make that possible.
 *
 * Reads the main file through a handle that stays open until the connection has closed: closing it earlier would drop
 * SQLite's lock on the file, since POSIX locks belong to the process.
 */
export class DatabaseGuard {
  readonly report: DatabaseReport;
  readonly #fs: FileSystem;
  readonly #files: DatabaseFiles;
  readonly #options: GuardOptions;
  readonly #main: OpenFile;
  readonly #sums: PageSums;
  readonly #mark: CommitMark;
  #wal: OpenFile | undefined;
  /** Frames and commits of the write-ahead log that have been looked at, and commits before it. */
  #frameCount: number;
  #walCommitCount: number;
  #commitsBefore: number;

  private constructor(
    fs: FileSystem,
    files: DatabaseFiles,
    options: GuardOptions,
    found: { main: OpenFile; sums: PageSums; wal: SoundWal | undefined; report: DatabaseReport },
  ) {
    this.report = found.report;
    this.#fs = fs;
    this.#files = files;
    this.#options = options;
    this.#main = found.main;
    this.#sums = found.sums;
    this.#frameCount = found.wal?.frameCount ?? 0;
    this.#walCommitCount = found.wal?.commitCount ?? 0;
    this.#commitsBefore = found.report.commitCount - this.#walCommitCount;
    this.#mark = CommitMark.open(fs, files.mark);
    this.#mark.write(markOf(found.wal, this.commitCount, options.boot));
  }

  /**
   * Proves the files of a database; SQLite must not have them open.
   *
   * @throws StorageError `damaged`, naming the file
   */
  static open(fs: FileSystem, files: DatabaseFiles, options: GuardOptions): DatabaseGuard {
    const opened = PageSums.open(fs, files.sums);
    if (!opened.ok) throw errorOf(opened.error);
    const sums = opened.value;
    let main: OpenFile | undefined;
    try {
      const mark = CommitMark.read(fs, files.mark);
      const wal = readWal(fs, files, sums, isBinding(mark, options) ? mark : undefined, options.syncsEachCommit);
      main = fs.open(files.main, "read");
      const pages = provePages(main, sums, wal, options.verifyBytesMax);
      const commitsBefore = wal === undefined ? sums.latest.commitsBefore + sums.latest.commitCount : sums.commitsBefore(wal.header.salt);
      const report = {
        commitCount: commitsBefore + (wal?.commitCount ?? 0),
        droppedBytes: wal?.droppedBytes ?? 0,
        hasChangedLeftovers: wal?.hasChangedLeftovers ?? false,
        isMarkUnreadable: mark === "unreadable",
        droppedSumsBytes: sums.droppedBytes,
        ...pages,
      };
      return new DatabaseGuard(fs, files, options, { main, sums, wal, report });
    } catch (error) {
      main?.close();
      sums.close();
      throw error;
    }
  }

  /** Bytes of the sums on disk. */
  get sumsBytes(): number {
    return this.#sums.sizeBytes;
  }

  /** Frames that were committed when last told. */
  get frameCount(): number {
    return this.#frameCount;
  }

  /** Commits since the database was made, when last told. */
  get commitCount(): number {
    return this.#commitsBefore + this.#walCommitCount;
  }

  /**
   * Takes note that the log holds this many committed frames, and makes them durable when every commit is. SQLite leaves
   * that to us: its own sync also writes the file's times, which on ext4 doubles what a small commit costs the disk.
   */
  onCommitted(frameCount: number): void {
    if (frameCount === this.#frameCount) return;
    assert(frameCount > this.#frameCount, "between checkpoints a write-ahead log only grows");
    const wal = this.#openWal();
    if (this.#options.syncsEachCommit) wal.sync();
    const progress = readWalProgress(wal, this.#sums.pageBytes, this.#frameCount, frameCount);
    this.#frameCount = frameCount;
    this.#walCommitCount += progress.commitCount;
    const { commitCount } = this;
    this.#mark.write({ salt: progress.salt, frameCount, checksum: progress.checksum, commitCount, boot: this.#options.boot });
  }

  /** Whether a checkpoint has begun and is not known to have ended: the main file is proved only when one has. */
  get isCheckpointOpen(): boolean {
    return !this.#sums.isDone;
  }

  /** Length of the write-ahead log's file, leftovers of earlier lives included. */
  get logFileBytes(): number {
    return this.#fs.stat(this.#files.wal)?.sizeBytes ?? 0;
  }

  /**
   * Proves the log once more and makes the sums of its pages durable; the checkpoint may begin when this returns.
   *
   * @throws StorageError `damaged`: the log is not what was committed and must not reach the main file
   */
  beforeCheckpoint(frameCount: number, emptiesLog: boolean): void {
    if (frameCount === 0) return;
    const { pageBytes } = this.#sums;
    if (!this.#options.syncsEachCommit) this.#openWal().sync();
    const bytes = this.#fs.readFile(this.#files.wal);
    const committed = bytes.subarray(0, walFrameOffset(pageBytes, frameCount)); // what lies behind was never committed
    const wal = inspectWal(committed, { syncsEachCommit: this.#options.syncsEachCommit });
    if (wal.kind !== "sound" || wal.frameCount !== frameCount) {
      const detail = wal.kind === "sound" ? `${wal.frameCount} frames are right` : wal.kind === "empty" ? "it is empty" : wal.detail;
      throw new StorageError("damaged", this.#files.wal, `the write-ahead log holds ${frameCount} committed frames, but ${detail}`);
    }
    this.#sums.recordCheckpoint(wal, emptiesLog ? new Uint32Array(0) : walFrameSums(bytes, pageBytes));
  }

  /** Takes note that the checkpoint has ended well: the next commit begins a new life of the log. */
  afterCheckpoint(): void {
    const { commitsBefore, commitCount } = this.#sums.latest;
    this.#commitsBefore = commitsBefore + commitCount;
    this.#walCommitCount = 0;
    this.#frameCount = 0;
    this.#sums.recordDone();
    this.#sums.compactIfLarge();
  }

  /**
   * Proves the whole main file, a megabyte a step; a checkpoint may run between steps. Ends early when one has failed.
   *
   * @throws StorageError `damaged`, naming the page
   */
  *scrub(): Generator<void, void> {
    const { pageBytes } = this.#sums;
    const buffer = new Uint8Array(SLICE_BYTES);
    for (let first = 1; first <= this.#sums.latest.pageCount; first += SLICE_BYTES / pageBytes) {
      if (this.isCheckpointOpen) return;
      proveSlice(this.#main, this.#sums, first, this.#sums.latest.pageCount, undefined, buffer);
      yield;
    }
  }

  /** Lets go; SQLite has closed the files. */
  close(): void {
    this.#wal?.close();
    this.#main.close();
    this.#mark.close();
    this.#sums.close();
  }

  #openWal(): OpenFile {
    this.#wal ??= this.#fs.open(this.#files.wal, "readWrite");
    return this.#wal;
  }
}

function markOf(wal: SoundWal | undefined, commitCount: number, boot: bigint): CommitMarkContent {
  const nothing = { first: 0, second: 0 };
  if (wal === undefined) return { salt: nothing, frameCount: 0, checksum: nothing, commitCount, boot };
  return { salt: wal.header.salt, frameCount: wal.frameCount, checksum: wal.checksum, commitCount, boot };
}

function errorOf(damage: LogDamage): StorageError {
  return new StorageError("damaged", damage.file, `${damage.detail} (${damage.kind} at offset ${damage.offset})`);
}

/** Commits that were never synced are as durable as the mark only while the machine has not gone down since. */
function isBinding(mark: CommitMarkContent | "unreadable", options: GuardOptions): mark is CommitMarkContent {
  if (mark === "unreadable") return false;
  return options.syncsEachCommit || (mark.boot === options.boot && mark.boot !== 0n);
}

/** The log, proved; undefined when it holds nothing. */
function readWal(
  fs: FileSystem,
  files: DatabaseFiles,
  sums: PageSums,
  mark: CommitMarkContent | undefined,
  syncsEachCommit: boolean,
): SoundWal | undefined {
  const bytes = fs.stat(files.wal) === undefined ? new Uint8Array(0) : fs.readFile(files.wal);
  const { latest } = sums;
  const isMoved = mark !== undefined && mark.commitCount <= latest.commitsBefore + latest.commitCount;
  const verdict = inspectWal(bytes, { mark: isMoved ? undefined : mark, syncsEachCommit, leftoverSums: latest.frameSums });
  const damaged = (sentence: string): StorageError => new StorageError("damaged", files.wal, sentence);
  if (verdict.kind === "empty") return undefined;
  if (verdict.kind === "damaged") throw damaged(`${verdict.detail} (offset ${verdict.offset})`);
  if (verdict.header.pageBytes !== sums.pageBytes) throw damaged("the log is of another database");
  if (sums.isOutdated(verdict.header.salt)) throw damaged("the log is an old copy: its commits were moved, and others after them");
  if (isSameSalt(latest.salt, verdict.header.salt) && verdict.frameCount < latest.frameCount) {
    throw damaged(`a checkpoint began to move ${latest.frameCount} frames, ${verdict.frameCount} are right`);
  }
  return verdict;
}

/**
 * Proves the size of the main file and, within the bound, every page; but not the pages that an interrupted checkpoint may
 * have moved or not: the log holds them.
 */
function provePages(
  main: OpenFile,
  sums: PageSums,
  wal: SoundWal | undefined,
  bytesMax: number,
): { readonly provedPages: number; readonly unprovedPages: number } {
  const { pageBytes, latest } = sums;
  const isBegun = wal !== undefined && !sums.isDone && wal.frameCount > 0 && isSameSalt(wal.header.salt, latest.salt);
  const begun = isBegun ? wal : undefined;
  const sizeBytes = main.size();
  if (begun === undefined && sizeBytes !== latest.pageCount * pageBytes) {
    throw new StorageError("damaged", main.path, `the file has ${sizeBytes} bytes, not ${latest.pageCount} pages of ${pageBytes}`);
  }
  const pageCount = begun === undefined ? latest.pageCount : Math.min(latest.pageCount, begun.pageCount);
  const buffer = new Uint8Array(SLICE_BYTES);
  const perSlice = SLICE_BYTES / pageBytes;
  const slicesMax = Math.max(1, Math.floor(bytesMax / SLICE_BYTES));
  const slices = Math.ceil(pageCount / perSlice);
  let provedPages = 0;
  for (let slice = 0; slice < slices; slice++) {
    if (slice > 0 && slice <= slices - slicesMax) continue; // the first slice, and the newest pages; the others are for the scrub
    provedPages += proveSlice(main, sums, 1 + slice * perSlice, pageCount, begun, buffer);
  }
  return { provedPages, unprovedPages: pageCount - provedPages };
}

/** Proves the pages of one slice that the log does not hold; gives their count. */
function proveSlice(
  main: OpenFile,
  sums: PageSums,
  first: number,
  pageCount: number,
  wal: SoundWal | undefined,
  buffer: Uint8Array,
): number {
  const { pageBytes } = sums;
  const count = Math.min(buffer.length / pageBytes, pageCount - first + 1);
  const readBytes = main.read((first - 1) * pageBytes, buffer.subarray(0, count * pageBytes));
  for (let at = 0; at < count; at++) {
    const page = first + at;
    if (wal?.pages.has(page) === true) continue;
    const end = (at + 1) * pageBytes;
    if (end > readBytes || !sums.isRight(page, buffer.subarray(at * pageBytes, end))) {
      throw new StorageError("damaged", main.path, `page ${page} (offset ${(page - 1) * pageBytes}) does not match its sum`);
    }
  }
  return count;
}
