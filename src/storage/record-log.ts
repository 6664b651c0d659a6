import { assert, bytesEqual, err, ok, present, type Result, u32be } from "../kernel/index.ts";
import { type FileSystem, type OpenFile, replaceFile } from "./file-system.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import type { LogDamage, TornTail } from "./log-damage.ts";
import {
  encodeSegmentHeader,
  FRAME_HEAD_BYTES,
  type FrameKind,
  frameBytes,
  frameHash,
  HASH_BYTES,
  LOG_FORMAT_VERSION,
  RECORD_BYTES_MAX,
  readFrameHead,
  SEGMENT_HEADER_BYTES,
  segmentName,
} from "./log-format.ts";
import type { Location, Segment } from "./log-location.ts";
import { checkSegment } from "./log-segment.ts";
import { isStorageError, StorageError } from "./storage-error.ts";

/** How a record log lays itself out; may differ from one opening to the next. */
export interface RecordLogTuning {
  /** Size above which a new segment is begun; pruning frees whole segments. Default 4 MiB; at least 4 KiB, below 2 GiB. */
  readonly segmentBytesMax?: number;
  /**
   * Zeros written ahead, so that a sync changes no file length and the file system writes no metadata: less wear and a
   * shorter sync for many small records; wasted on large ones. Default 0: off.
   */
  readonly preallocateBytes?: number;
}

/** What opening found. */
export interface OpenReport {
  /** Un-synced bytes that were dropped; undefined when there were none. */
  readonly tornTail: TornTail | undefined;
  /** Whether the last use ended with `close`. */
  readonly wasClosed: boolean;
}

/** What a log starts from; made by `createRecordLog` and `openRecordLog`. */
export interface RecordLogStart {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly name: string;
  readonly logId: Uint8Array;
  /** Ascending and without gaps; the last is the one written to. */
  readonly segments: Segment[];
  readonly file: OpenFile;
  /** Length of the last segment's file; more than its size when laid out ahead. */
  readonly fileBytes: number;
  readonly tailHash: Uint8Array;
  readonly nextIndex: number;
  readonly report: OpenReport;
  readonly tuning: RecordLogTuning;
}

/** An end of the log in its last segment: all before it is made, written or durable. */
interface LogEnd {
  readonly offset: number;
  /** Records before it. */
  readonly index: number;
  /** The 32 bytes before it. */
  readonly tailHash: Uint8Array;
}

const SEGMENT_BYTES_DEFAULT = 4 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

/**
 * Append-only log of records in numbered segments; each byte is written once and proved when read.
 *
 * Invariants: a record is durable only when the `sync` or `syncAsync` begun after its `append` succeeded; what was durable
 * is never dropped, except by `dropBefore`; after a failed sync the log refuses all further work, since nobody knows what
 * the disk holds. It never repairs damage and promises nothing across files. One process, one instance at a time.
 */
export class RecordLog {
  /** What opening found. */
  readonly report: OpenReport;
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #name: string;
  readonly #logId: Uint8Array;
  readonly #segments: Segment[];
  readonly #segmentBytesMax: number;
  readonly #preallocateBytes: number;
  readonly #buffer: FrameBuffer;
  #file: OpenFile;
  #fileBytes: number;
  #reader: { readonly segment: number; readonly file: OpenFile } | undefined;
  /** End of the last frame made. */
  #tail: number;
  /** End of the last frame that a sync must reach: all but marks. */
  #neededTo: number;
  #nextIndex: number;
  #written: LogEnd;
  #durable: LogEnd;
  /** What the running asynchronous sync will make durable, in the last segment. */
  #flying: LogEnd | undefined;
  /** Un-synced records were dropped for want of room, and the sync that their owner waits for has not said so yet. */
  #unreportedLoss: StorageError | undefined;
  #inFlight: Promise<void> | undefined;
  #nextGroup: Promise<void> | undefined;
  #poison: StorageError | undefined;
  #isClosed = false;

  /** @param start a log that has been checked up to its end, all of it durable */
  constructor(start: RecordLogStart) {
    this.report = start.report;
    this.#fs = start.fs;
    this.#directory = start.directory;
    this.#name = start.name;
    this.#logId = start.logId;
    this.#segments = start.segments;
    this.#segmentBytesMax = start.tuning.segmentBytesMax ?? SEGMENT_BYTES_DEFAULT;
    this.#preallocateBytes = start.tuning.preallocateBytes ?? 0;
    assert(this.#segmentBytesMax >= 4096 && this.#segmentBytesMax < 2 ** 31, "a segment takes 4 KiB to 2 GiB");
    this.#buffer = new FrameBuffer(start.tailHash);
    this.#file = start.file;
    this.#fileBytes = start.fileBytes;
    this.#tail = this.#last.sizeBytes;
    this.#neededTo = this.#tail;
    this.#nextIndex = start.nextIndex;
    this.#written = { offset: this.#tail, index: start.nextIndex, tailHash: start.tailHash };
    this.#durable = this.#written;
  }

  /** Index of the oldest record kept. */
  get firstIndex(): number {
    return present(this.#segments[0], "a log has a segment").firstIndex;
  }

  /** Index that the next appended record gets. */
  get nextIndex(): number {
    return this.#nextIndex;
  }

  /** Records below this index are durable. */
  get durableIndex(): number {
    return this.#durable.index;
  }

  /** Bytes of all segments, with what waits to be written. */
  get sizeBytes(): number {
    let size = this.#tail - this.#last.sizeBytes;
    for (const segment of this.#segments) size += segment.sizeBytes;
    return size;
  }

  /** Segments on disk. */
  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Why the log refuses further work; undefined while it does not. */
  get poison(): StorageError | undefined {
    return this.#poison;
  }

  /**
   * Adds a record; it waits in memory until the next sync.
   *
   * @param body at most 16 MiB - 1
   * @returns where it will lie; void when the sync fails
   * @throws StorageError `diskFull`: there is no room for a new segment, or records before this one found none and the
   *   sync that says so is still to come; `poisoned`; `ioFailed`
   */
  append(body: Uint8Array): Location {
    this.#checkUsable();
    if (this.#unreportedLoss !== undefined) throw this.#unreportedLoss;
    assert(body.length <= RECORD_BYTES_MAX, "a record is shorter than 16 MiB");
    if (this.#tail + frameBytes(body.length) > this.#segmentBytesMax && this.#nextIndex > this.#last.firstIndex) this.#beginSegment();
    const location = { index: this.#nextIndex, segment: this.#last.number, offset: this.#tail, length: body.length };
    this.#add("record", body);
    this.#nextIndex++;
    return location;
  }

  /**
   * Makes every appended record durable before it returns.
   *
   * @throws StorageError `diskFull`: every record whose sync had not begun is gone as if never appended, and the log goes
   *   on; `ioFailed`: the log is poisoned, and what was not yet durable may or may not be there later; `poisoned`
   */
  sync(): void {
    this.#checkUsable();
    this.#flushForSync();
    if (this.#durable.offset >= this.#neededTo) return;
    this.#poisoningOnFailure(() => this.#file.sync());
    this.#onDurable(this.#last, this.#written);
    this.#mark();
  }

  /**
   * Makes every record appended before this call durable, off this thread; calls during a running sync share the next
   * one (group commit). Rejects as `sync` throws; with `diskFull` every record of the group is gone.
   */
  syncAsync(): Promise<void> {
    if (this.#nextGroup !== undefined) return this.#nextGroup;
    if (this.#inFlight === undefined) return this.#startGroup();
    this.#nextGroup = this.#inFlight.then(() => this.#startGroup());
    return this.#nextGroup;
  }

  /** The body of a record, proved against its hash. */
  read(location: Location): Result<Uint8Array, LogDamage> {
    const segment = this.#segments.find((candidate) => candidate.number === location.segment);
    const file = `${this.#directory}/${segmentName(location.segment)}`;
    const damage = (detail: string): Result<never, LogDamage> => err({ kind: "badRecord", file, offset: location.offset, detail });
    if (segment === undefined) return err({ kind: "missingSegment", file, offset: 0, detail: "the segment is not kept" });
    if (segment === this.#last && location.offset >= segment.sizeBytes && this.#poison === undefined) this.#flush();
    const bytes = new Uint8Array(HASH_BYTES + frameBytes(location.length));
    try {
      const count = this.#readerOf(segment).read(location.offset - HASH_BYTES, bytes);
      if (count < bytes.length) return damage("the file ends inside the record");
    } catch (error) {
      if (!isStorageError(error)) throw error; // the disk refused to read
      return err({ kind: "unreadable", file, offset: location.offset, detail: error.message });
    }
    const head = readFrameHead(bytes.subarray(HASH_BYTES), { logId: this.#logId, segment: segment.number, offset: location.offset });
    if (head?.kind !== "record" || head.length !== location.length) return damage("no record of this length starts here");
    const hashAt = bytes.length - HASH_BYTES;
    if (!bytesEqual(frameHash(bytes.subarray(0, hashAt)), bytes.subarray(hashAt))) return damage("the record does not match its hash");
    return ok(bytes.subarray(HASH_BYTES + FRAME_HEAD_BYTES, hashAt));
  }

  /**
   * Visits every record from an index on, in order, each proved. What waits in memory is written first.
   *
   * @returns the damage at which it stopped, if any
   */
  forEach(fromIndex: number, visit: (body: Uint8Array, location: Location) => void): Result<void, LogDamage> {
    if (this.#poison === undefined && !this.#isClosed) this.#flush();
    for (let at = 0; at < this.#segments.length; at++) {
      const segment = present(this.#segments[at], "the index lies in the list");
      const next = this.#segments[at + 1];
      if (next !== undefined && next.firstIndex <= fromIndex) continue;
      const checked = checkSegment(
        this.#fs,
        this.#directory,
        this.#logId,
        segment,
        next?.firstIndex ?? this.#written.index,
        (body, location) => {
          if (location.index >= fromIndex) visit(body, location);
        },
      );
      if (!checked.ok) return checked;
    }
    return ok(undefined);
  }

  /** Proves everything on disk again, a segment a step, oldest first; ends early with the first damage. */
  *scrub(): Generator<void, Result<void, LogDamage>> {
    let number = present(this.#segments[0], "a log has a segment").number;
    for (;;) {
      const at = this.#segments.findIndex((segment) => segment.number >= number);
      const segment = this.#segments[at];
      if (segment === undefined) return ok(undefined);
      const end = this.#segments[at + 1]?.firstIndex ?? this.#written.index;
      const checked = checkSegment(this.#fs, this.#directory, this.#logId, segment, end, () => {});
      if (!checked.ok) return checked;
      number = segment.number + 1;
      yield;
    }
  }

  /**
   * Deletes the segments that hold only records below this index; the last segment always stays. That the rest begins
   * later is durable before the first file goes.
   */
  dropBefore(index: number): void {
    this.#checkUsable();
    assert(index <= this.#nextIndex, "only records that exist are dropped");
    let count = 0;
    while (count + 1 < this.#segments.length && (this.#segments[count + 1] as Segment).firstIndex <= index) count++;
    if (count === 0) return;
    const oldest = present(this.#segments[count], "the last segment stays").number;
    this.#add("prune", u32be(oldest));
    this.sync();
    this.#closeReader();
    this.#poisoningOnFailure(() => {
      for (const dropped of this.#segments.splice(0, count)) this.#fs.remove(`${this.#directory}/${segmentName(dropped.number)}`);
      this.#fs.syncDirectory(this.#directory);
    });
  }

  /** Makes everything durable, notes that the stop was clean, and lets go. A poisoned log only lets go. */
  close(): void {
    if (this.#isClosed) return;
    if (this.#poison === undefined) {
      this.sync();
      this.#add("seal", NOTHING);
      this.#flush();
      this.#poisoningOnFailure(() => {
        if (this.#fileBytes > this.#tail) this.#file.truncate(this.#tail);
        this.#file.sync();
      });
    }
    this.#isClosed = true;
    this.#closeReader();
    if (this.#inFlight === undefined) this.#file.close();
  }

  get #last(): Segment {
    return present(this.#segments.at(-1), "a log has a segment");
  }

  #add(kind: FrameKind, body: Uint8Array): void {
    this.#buffer.add(kind, body, this.#durable.offset, { logId: this.#logId, segment: this.#last.number, offset: this.#tail });
    this.#tail += frameBytes(body.length);
    if (kind !== "mark") this.#neededTo = this.#tail;
    assert(this.#tail - this.#buffer.pendingBytes === this.#last.sizeBytes, "what is written and what waits make up the log");
  }

  #flush(): void {
    if (this.#buffer.pendingBytes === 0) return;
    const last = this.#last;
    try {
      this.#file.write(last.sizeBytes, this.#buffer.pending);
    } catch (error) {
      this.#undoWrite(error);
      throw error;
    }
    last.sizeBytes = this.#tail;
    this.#buffer.markWritten();
    this.#written = { offset: this.#tail, index: this.#nextIndex, tailHash: this.#buffer.tailHash };
    this.#fileBytes = Math.max(this.#fileBytes, this.#tail);
    this.#layOutAhead();
  }

  /** Writes what waits, for a sync; or reports that it is gone. */
  #flushForSync(): void {
    try {
      if (this.#unreportedLoss !== undefined) throw this.#unreportedLoss;
      this.#flush();
    } finally {
      if (this.#nextGroup === undefined) this.#unreportedLoss = undefined; // else the waiters of that group are told as well
    }
  }

  /** After a write that found no room, the log ends again where a sync has reached or is about to, and goes on from there. */
  #undoWrite(error: unknown): void {
    if (!isStorageError(error, "diskFull")) {
      this.#poisonBy(error);
      return;
    }
    const kept = this.#flying !== undefined && this.#flying.offset > this.#durable.offset ? this.#flying : this.#durable;
    this.#poisoningOnFailure(() => this.#file.truncate(kept.offset));
    this.#fileBytes = kept.offset;
    this.#last.sizeBytes = kept.offset;
    this.#tail = kept.offset;
    this.#neededTo = kept.offset;
    this.#nextIndex = kept.index;
    this.#written = kept;
    this.#buffer.restart(kept.tailHash);
    this.#unreportedLoss = error;
  }

  #layOutAhead(): void {
    if (this.#preallocateBytes === 0 || this.#fileBytes > this.#tail) return;
    const end = Math.min(this.#tail + this.#preallocateBytes, Math.max(this.#segmentBytesMax, this.#tail));
    if (end === this.#tail) return;
    try {
      this.#file.write(this.#tail, new Uint8Array(end - this.#tail));
      this.#fileBytes = end;
    } catch (error) {
      if (isStorageError(error, "diskFull"))
        this.#poisoningOnFailure(() => this.#file.truncate(this.#tail)); // no failure: there is no room to lay out ahead
      else this.#poisonBy(error);
    }
  }

  /** Notes behind what was just synced that it was, without a sync: damage there can then no longer pass for a torn write. */
  #mark(): void {
    if (this.#buffer.pendingBytes > 0) return;
    this.#add("mark", NOTHING);
    try {
      this.#flush();
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error;
      this.#unreportedLoss = undefined; // without room there is no mark, and nothing but the mark is lost
    }
  }

  #startGroup(): Promise<void> {
    this.#nextGroup = undefined;
    try {
      this.#checkUsable();
      this.#flushForSync();
    } catch (error) {
      return Promise.reject(error); // every failure belongs to the waiters
    }
    if (this.#durable.offset >= this.#neededTo) return Promise.resolve();
    const file = this.#file;
    const segment = this.#last;
    const end = this.#written;
    this.#flying = end;
    this.#inFlight = file.syncAsync().then(
      () => {
        this.#endGroup(file);
        this.#onDurable(segment, end);
        const isIdle = this.#nextGroup === undefined && this.#durable.offset === this.#tail;
        if (isIdle && !this.#isClosed && this.#poison === undefined) this.#mark();
      },
      (error: unknown) => {
        this.#endGroup(file);
        this.#poisonBy(error);
        throw error;
      },
    );
    return this.#inFlight;
  }

  #endGroup(file: OpenFile): void {
    this.#inFlight = undefined;
    if (file === this.#file) this.#flying = undefined;
    if (file !== this.#file || this.#isClosed) file.close();
  }

  #onDurable(segment: Segment, end: LogEnd): void {
    assert(end.index <= this.#written.index, "only what was written becomes durable");
    if (segment === this.#last && end.offset > this.#durable.offset) this.#durable = end;
  }

  /** Ends the last segment, durably, and begins the next one, which states how it ended. */
  #beginSegment(): void {
    this.#flush();
    this.#poisoningOnFailure(() => {
      if (this.#fileBytes > this.#tail) this.#file.truncate(this.#tail);
      this.#fileBytes = this.#tail;
      this.#file.sync();
    });
    this.#onDurable(this.#last, this.#written);
    const number = this.#last.number + 1;
    const header = encodeSegmentHeader({
      version: LOG_FORMAT_VERSION,
      number,
      firstIndex: this.#nextIndex,
      logId: this.#logId,
      previousSizeBytes: this.#tail,
      oldest: present(this.#segments[0], "a log has a segment").number,
      previousTail: this.#buffer.tailHash,
      name: this.#name,
    });
    const path = `${this.#directory}/${segmentName(number)}`;
    try {
      replaceFile(this.#fs, path, header);
    } catch (error) {
      if (!isStorageError(error, "diskFull")) this.#poisonBy(error);
      throw error;
    }
    const file = this.#poisoningOnFailure(() => this.#fs.open(path, "readWrite"));
    if (this.#inFlight === undefined) this.#file.close();
    this.#file = file;
    this.#fileBytes = SEGMENT_HEADER_BYTES;
    this.#segments.push({ number, firstIndex: this.#nextIndex, sizeBytes: SEGMENT_HEADER_BYTES });
    this.#tail = SEGMENT_HEADER_BYTES;
    this.#neededTo = SEGMENT_HEADER_BYTES;
    const tailHash = header.slice(SEGMENT_HEADER_BYTES - HASH_BYTES);
    this.#written = { offset: SEGMENT_HEADER_BYTES, index: this.#nextIndex, tailHash };
    this.#durable = this.#written;
    this.#flying = undefined;
    this.#buffer.restart(tailHash);
  }

  #readerOf(segment: Segment): OpenFile {
    if (segment === this.#last) return this.#file;
    if (this.#reader?.segment !== segment.number) {
      this.#closeReader();
      this.#reader = { segment: segment.number, file: this.#fs.open(`${this.#directory}/${segmentName(segment.number)}`, "read") };
    }
    return this.#reader.file;
  }

  #closeReader(): void {
    this.#reader?.file.close();
    this.#reader = undefined;
  }

  #checkUsable(): void {
    assert(!this.#isClosed, "a closed log is not used");
    if (this.#poison === undefined) return;
    throw new StorageError("poisoned", this.#directory, `the log refuses work after: ${this.#poison.message}`, { cause: this.#poison });
  }

  #poisoningOnFailure<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      this.#poisonBy(error);
      throw error;
    }
  }

  #poisonBy(error: unknown): void {
    this.#poison ??= isStorageError(error) ? error : new StorageError("ioFailed", this.#directory, String(error));
  }
}
