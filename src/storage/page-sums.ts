import { assert, err, ok, present, type Result } from "../kernel/index.ts";
import type { FileSystem } from "./file-system.ts";
import type { LogDamage } from "./log-damage.ts";
import { createRecordLog, openRecordLog } from "./open-record-log.ts";
import type { RecordLog } from "./record-log.ts";
import { isStorageError } from "./storage-error.ts";
import { isSameSalt, type WalSalt } from "./wal-format.ts";
import type { SoundWal } from "./wal-inspection.ts";

const LOG_NAME = "page sums";
const CHECKPOINT = 1;
const SNAPSHOT = 2;
const DONE = 3;
const CHECKPOINT_HEAD_BYTES = 37;
const CHECKPOINT_ENTRY_BYTES = 12;
const FRAME_SUM_BYTES = 4;
const SNAPSHOT_HEAD_BYTES = 9;

/** Pages in one record of a snapshot. */
const SNAPSHOT_PAGES = 64 * 1024;

/** A log above this size, and above four times what a snapshot takes, is replaced by a snapshot. */
const COMPACT_BYTES_MIN = 1024 * 1024;

/** Small segments, so that a snapshot frees what it replaces. */
const SEGMENT_BYTES_MAX = 256 * 1024;

const NO_SUMS = new Uint32Array(0);

/** The checksum of a page: xxHash64 with seed 0. Finds accidents, not adversaries. */
function pageSum(page: Uint8Array): bigint {
  return Bun.hash.xxHash64(page);
}

/** A checkpoint that began: what it moves and where the database stands after it. */
export interface CheckpointNote {
  /** The life of the write-ahead log that it moves. */
  readonly salt: WalSalt;
  /** Frames that it moves. */
  readonly frameCount: number;
  /** Commits of the database before this life of the log. */
  readonly commitsBefore: number;
  /** Commits in this life of the log, up to the checkpoint. */
  readonly commitCount: number;
  /** Pages of the main file after it. */
  readonly pageCount: number;
  /** Sums of all frames in the log's file, see `walFrameSums`; empty when the checkpoint empties the file. */
  readonly frameSums: Uint32Array;
}

/**
 * One sum per page of a database's main file, kept in a record log beside it.
 *
 * Only a checkpoint changes the main file, and only to pages of the write-ahead log. So the sums of those pages are made
 * durable before each checkpoint begins. Whatever then interrupts it, every page is either as the sums say, or the
 * write-ahead log, still whole, holds it.
 *
 * Records: 1 | salt u32 u32 | frames u32 | commits before u64 | commits u32 | page bytes u32 | pages u32 | entries u32 |
 * (page u32 | sum u64)* | frame sum u32 *;
 * 2 | pages u32 | first page u32 | sum u64 *, part of a snapshot of the table, which begins with a record 1 of no pages;
 * 3, the latest checkpoint has ended, written without a sync.
 */
export class PageSums {
  readonly #log: RecordLog;
  #pageBytes = 0;
  #sums: BigUint64Array<ArrayBuffer> = new BigUint64Array(0);
  /** Checkpoints in the log, oldest first; the last is the latest. */
  #notes: CheckpointNote[] = [];
  #isDone = true;

  private constructor(log: RecordLog) {
    this.#log = log;
  }

  /**
   * Makes the sums of a main file just made.
   *
   * @param logId 16 bytes, another for each database
   */
  static create(fs: FileSystem, directory: string, logId: Uint8Array, pageBytes: number, main: Uint8Array): void {
    const log = createRecordLog(fs, directory, {
      name: LOG_NAME,
      segmentBytesMax: SEGMENT_BYTES_MAX,
      entropy: { bytes: (count) => logId.slice(0, count) },
    });
    const sums = new PageSums(log);
    const pageCount = main.length / pageBytes;
    assert(Number.isInteger(pageCount), "a database file is made of whole pages");
    sums.#pageBytes = pageBytes;
    sums.#note({ salt: { first: 0, second: 0 }, frameCount: 0, commitsBefore: 0, commitCount: 0, pageCount, frameSums: NO_SUMS });
    for (let at = 0; at < pageCount; at++) sums.#sums[at] = pageSum(main.subarray(at * pageBytes, (at + 1) * pageBytes));
    sums.#appendSnapshot();
    log.close();
  }

  /** Reads the sums back. */
  static open(fs: FileSystem, directory: string): Result<PageSums, LogDamage> {
    const log = openRecordLog(fs, directory, { name: LOG_NAME, segmentBytesMax: SEGMENT_BYTES_MAX, verifyBytesMax: 0 });
    if (!log.ok) return log;
    const sums = new PageSums(log.value);
    let damage: LogDamage | undefined;
    const read = log.value.forEach(0, (body, location) => {
      if (!sums.#apply(body))
        damage ??= { kind: "badRecord", file: directory, offset: location.offset, detail: "a record of another shape" };
    });
    if (read.ok && damage === undefined && sums.#notes.length > 0) return ok(sums);
    log.value.close();
    if (!read.ok) return read;
    return err(damage ?? { kind: "empty", file: directory, offset: 0, detail: "there are no sums" });
  }

  /** Bytes of a page. */
  get pageBytes(): number {
    return this.#pageBytes;
  }

  /** The latest checkpoint that began. */
  get latest(): CheckpointNote {
    return present(this.#notes.at(-1), "sums begin with a note");
  }

  /** Whether the latest checkpoint is known to have ended, so the main file holds all that it moved. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Bytes of the sums on disk. */
  get sizeBytes(): number {
    return this.#log.sizeBytes;
  }

  /** Bytes that opening dropped from the end of the log. */
  get droppedBytes(): number {
    return this.#log.report.tornTail?.sizeBytes ?? 0;
  }

  /** Commits of the database before this life of its write-ahead log. */
  commitsBefore(salt: WalSalt): number {
    const { latest } = this;
    return isSameSalt(latest.salt, salt) ? latest.commitsBefore : latest.commitsBefore + latest.commitCount;
  }

  /** Whether this life of the log was checkpointed and followed by another: found again, it is out of date. */
  isOutdated(salt: WalSalt): boolean {
    return !isSameSalt(this.latest.salt, salt) && this.#notes.some((note) => isSameSalt(note.salt, salt));
  }

  /**
   * Makes the sums of the log's pages durable; the checkpoint that moves them may begin when this returns.
   *
   * @param frameSums of the log's file when the checkpoint leaves it as it is, see `walFrameSums`
   */
  recordCheckpoint(wal: SoundWal, frameSums: Uint32Array): void {
    const { header, frameCount, commitCount, pageCount } = wal;
    assert(frameCount > 0 && header.pageBytes === this.#pageBytes, "a checkpoint moves pages of this database");
    const entries = new Map<number, bigint>();
    for (const [page, content] of wal.pages) entries.set(page, pageSum(content));
    // A page that SQLite never writes (the one at the lock byte, at 1 GiB): the file is extended over it.
    const blank = pageSum(new Uint8Array(this.#pageBytes));
    for (let page = this.latest.pageCount + 1; page <= pageCount; page++) if (!entries.has(page)) entries.set(page, blank);
    const note = { salt: header.salt, frameCount, commitsBefore: this.commitsBefore(header.salt), commitCount, pageCount, frameSums };
    this.#log.append(encodeCheckpoint(note, this.#pageBytes, entries));
    this.#log.sync();
    this.#note(note);
    for (const [page, sum] of entries) this.#sums[page - 1] = sum;
    this.#isDone = false;
  }

  /** Notes that the checkpoint has ended. Without a sync: not knowing it only means that less can be proved. */
  recordDone(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#log.append(Uint8Array.of(DONE));
    try {
      this.#log.handOver();
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error; // then it is not noted
    }
  }

  /** Replaces the log's records by a snapshot when they have grown far beyond it. No checkpoint is running. */
  compactIfLarge(): void {
    if (this.#log.sizeBytes < Math.max(COMPACT_BYTES_MIN, 4 * 8 * this.latest.pageCount)) return;
    const first = this.#log.nextIndex;
    this.#appendSnapshot();
    this.#log.dropBefore(first);
    this.#notes = [this.latest];
  }

  /** Whether a page of the main file, from 1, is the one that was checkpointed. */
  isRight(page: number, content: Uint8Array): boolean {
    return this.#sums[page - 1] === pageSum(content);
  }

  /** Lets go. */
  close(): void {
    this.#log.close();
  }

  #appendSnapshot(): void {
    const { pageCount } = this.latest;
    this.#log.append(encodeCheckpoint(this.latest, this.#pageBytes, new Map()));
    this.#log.append(Uint8Array.of(DONE));
    for (let from = 0; from < pageCount; from += SNAPSHOT_PAGES) {
      const part = this.#sums.subarray(from, Math.min(from + SNAPSHOT_PAGES, pageCount));
      const body = new Uint8Array(SNAPSHOT_HEAD_BYTES + 8 * part.length);
      const view = new DataView(body.buffer);
      view.setUint8(0, SNAPSHOT);
      view.setUint32(1, pageCount);
      view.setUint32(5, from + 1);
      for (const [at, sum] of part.entries()) view.setBigUint64(SNAPSHOT_HEAD_BYTES + 8 * at, sum);
      this.#log.append(body);
    }
    this.#log.sync();
  }

  #apply(body: Uint8Array): boolean {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    if (body[0] === CHECKPOINT && body.length >= CHECKPOINT_HEAD_BYTES) return this.#applyCheckpoint(view);
    if (body[0] === DONE && body.length === 1) {
      this.#isDone = true;
      return true;
    }
    if (body[0] === SNAPSHOT && body.length >= SNAPSHOT_HEAD_BYTES) return this.#applySnapshot(view);
    return false;
  }

  #applyCheckpoint(view: DataView): boolean {
    this.#isDone = false;
    const pageCount = view.getUint32(29);
    const sumsAt = CHECKPOINT_HEAD_BYTES + view.getUint32(33) * CHECKPOINT_ENTRY_BYTES;
    const frames = (view.byteLength - sumsAt) / FRAME_SUM_BYTES;
    if (sumsAt > view.byteLength || !Number.isInteger(frames)) return false;
    this.#pageBytes = view.getUint32(25);
    this.#note({
      salt: { first: view.getUint32(1), second: view.getUint32(5) },
      frameCount: view.getUint32(9),
      commitsBefore: Number(view.getBigUint64(13)),
      commitCount: view.getUint32(21),
      pageCount,
      frameSums: Uint32Array.from({ length: frames }, (_, frame) => view.getUint32(sumsAt + FRAME_SUM_BYTES * frame)),
    });
    for (let at = CHECKPOINT_HEAD_BYTES; at < sumsAt; at += CHECKPOINT_ENTRY_BYTES) {
      const page = view.getUint32(at);
      if (page < 1 || page > pageCount) return false;
      this.#sums[page - 1] = view.getBigUint64(at + 4);
    }
    return true;
  }

  #applySnapshot(view: DataView): boolean {
    const first = view.getUint32(5);
    const count = (view.byteLength - SNAPSHOT_HEAD_BYTES) / 8;
    if (!Number.isInteger(count) || first < 1 || first + count - 1 > view.getUint32(1)) return false;
    this.#reserve(view.getUint32(1));
    for (let at = 0; at < count; at++) this.#sums[first - 1 + at] = view.getBigUint64(SNAPSHOT_HEAD_BYTES + 8 * at);
    return true;
  }

  #note(note: CheckpointNote): void {
    const last = this.#notes.pop();
    if (last !== undefined) this.#notes.push({ ...last, frameSums: NO_SUMS }); // only the latest are needed
    this.#notes.push(note);
    this.#reserve(note.pageCount);
  }

  #reserve(pageCount: number): void {
    if (pageCount <= this.#sums.length) return;
    const grown = new BigUint64Array(Math.max(pageCount, 2 * this.#sums.length));
    grown.set(this.#sums);
    this.#sums = grown;
  }
}

function encodeCheckpoint(note: CheckpointNote, pageBytes: number, entries: ReadonlyMap<number, bigint>): Uint8Array {
  const sumsAt = CHECKPOINT_HEAD_BYTES + CHECKPOINT_ENTRY_BYTES * entries.size;
  const body = new Uint8Array(sumsAt + FRAME_SUM_BYTES * note.frameSums.length);
  const view = new DataView(body.buffer);
  view.setUint8(0, CHECKPOINT);
  view.setUint32(1, note.salt.first);
  view.setUint32(5, note.salt.second);
  view.setUint32(9, note.frameCount);
  view.setBigUint64(13, BigInt(note.commitsBefore));
  view.setUint32(21, note.commitCount);
  view.setUint32(25, pageBytes);
  view.setUint32(29, note.pageCount);
  view.setUint32(33, entries.size);
  let at = CHECKPOINT_HEAD_BYTES;
  for (const [page, sum] of entries) {
    view.setUint32(at, page);
    view.setBigUint64(at + 4, sum);
    at += CHECKPOINT_ENTRY_BYTES;
  }
  for (const [frame, sum] of note.frameSums.entries()) view.setUint32(sumsAt + FRAME_SUM_BYTES * frame, sum);
  return body;
}
