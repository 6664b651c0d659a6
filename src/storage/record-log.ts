import { assert, bytesEqual, err, ok, present, type Result, u32be } from "../kernel/index.ts";
import { type FileSystem, replaceFile } from "./file-system.ts";
import type { LogDamage, TornTail } from "./log-damage.ts";
import {
  encodeSegmentHeader,
  FRAME_HEAD_BYTES,
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
import { SegmentReader } from "./segment-reader.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { isStorageError, StorageError } from "./storage-error.ts";

/** How a record log lays itself out; may differ from one opening to the next. */
export interface RecordLogTuning {
  /** Size above which a new segment is begun; pruning frees whole segments. Default 4 MiB; at least 4 KiB, below 2 GiB. */
  readonly segmentBytesMax?: number;
  /**
   * Zeros written ahead, so that a sync changes no file length and the file system writes no metadata: for small records a
   * third of the wear and a shorter sync. Not done while the bytes of a sync average above 8 KiB. Default 0: off.
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

/** What a log starts from; made by `createRecordLog` and `openRecordLog`, which have checked it to its end. */
export interface RecordLogStart {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly name: string;
  readonly logId: Uint8Array;
  /** Ascending and without gaps; the last is the one to write to, all of it durable. */
  readonly segments: readonly Segment[];
  /** Length of the last segment's file; more than its size when laid out ahead. */
  readonly fileBytes: number;
  readonly tailHash: Uint8Array;
  readonly nextIndex: number;
  readonly report: OpenReport;
  readonly tuning: RecordLogTuning;
}

const SEGMENT_BYTES_DEFAULT = 4 * 1024 * 1024;
const NOTHING = new Uint8Array(0);

/**
 * Append-only log of records in numbered segments; each byte is written once and proved when read.
 *
 * Invariants: a record is durable only when a `sync` or `syncAsync` begun after its `append` succeeded; what was durable
 * is never dropped, except by `dropBefore`; after a failed write or sync the log refuses all further work, since nobody
 * knows what the disk holds (a full disk is no such failure). It never repairs damage and promises nothing across files.
 * One instance at a time.
 */
export class RecordLog {
  /** What opening found. */
  readonly report: OpenReport;
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #name: string;
  readonly #logId: Uint8Array;
  readonly #segmentBytesMax: number;
  readonly #preallocateBytes: number;
  readonly #reader: SegmentReader;
  /** All segments but the last. */
  readonly #closed: Segment[];
  /** Index of the first record of the last segment. */
  #lastFirstIndex: number;
  #writer: SegmentWriter;
  #inFlight: Promise<void> | undefined;
  #nextGroup: Promise<void> | undefined;
  /** Un-synced records were dropped for want of room, and the sync that their owner waits for has not said so yet. */
  #unreportedLoss: StorageError | undefined;
  #poison: StorageError | undefined;
  #isClosed = false;

  /** For `createRecordLog` and `openRecordLog`. */
  constructor(start: RecordLogStart) {
    const last = present(start.segments.at(-1), "a log has a segment");
    this.report = start.report;
    this.#fs = start.fs;
    this.#directory = start.directory;
    this.#name = start.name;
    this.#logId = start.logId;
    this.#segmentBytesMax = start.tuning.segmentBytesMax ?? SEGMENT_BYTES_DEFAULT;
    this.#preallocateBytes = start.tuning.preallocateBytes ?? 0;
    assert(this.#segmentBytesMax >= 4096 && this.#segmentBytesMax < 2 ** 31, "a segment takes 4 KiB to 2 GiB");
    this.#reader = new SegmentReader(start.fs, start.directory);
    this.#closed = start.segments.slice(0, -1);
    this.#lastFirstIndex = last.firstIndex;
    this.#writer = this.#openWriter(last.number, start.fileBytes, last.sizeBytes, start.nextIndex, start.tailHash);
  }

  /** Index of the oldest record kept. */
  get firstIndex(): number {
    return this.#closed[0]?.firstIndex ?? this.#lastFirstIndex;
  }

  /** Index that the next appended record gets. */
  get nextIndex(): number {
    return this.#writer.nextIndex;
  }

  /** Records below this index are durable. */
  get durableIndex(): number {
    return this.#writer.durable.index;
  }

  /** Bytes of all segments, with what waits to be written. */
  get sizeBytes(): number {
    return this.#closed.reduce((size, segment) => size + segment.sizeBytes, this.#writer.nextOffset);
  }

  /** Segments on disk. */
  get segmentCount(): number {
    return this.#closed.length + 1;
  }

  /** Why the log refuses further work; undefined while it does not. */
  get poison(): StorageError | undefined {
    return this.#poison;
  }

  /**
   * Adds a record; it waits in memory until the next sync.
   *
   * @param body at most 16 MiB - 1; copied
   * @returns where it will lie; void when the sync fails
   * @throws StorageError `diskFull`: there is no room for a new segment, or records before this one found none and the
   *   sync that says so is still to come; `ioFailed`; `poisoned`
   */
  append(body: Uint8Array): Location {
    this.#checkUsable();
    if (this.#unreportedLoss !== undefined) throw this.#unreportedLoss;
    assert(body.length <= RECORD_BYTES_MAX, "a record is shorter than 16 MiB");
    const isFull = this.#writer.nextOffset + frameBytes(body.length) > this.#segmentBytesMax;
    if (isFull && this.#writer.nextIndex > this.#lastFirstIndex) this.#beginSegment();
    const location = { index: this.nextIndex, segment: this.#writer.number, offset: this.#writer.nextOffset, length: body.length };
    this.#writer.add("record", body);
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
    this.#writeForSync();
    if (!this.#writer.needsSync) return;
    this.#poisoningOnFailure(() => {
      this.#writer.sync();
      this.#writer.mark();
    });
  }

  /**
   * Makes every record appended before this call durable, off this thread; calls during a running sync share the next
   * one (group commit). Rejects as `sync` throws.
   */
  syncAsync(): Promise<void> {
    if (this.#nextGroup !== undefined) return this.#nextGroup;
    if (this.#inFlight === undefined) return this.#startGroup();
    this.#nextGroup = this.#inFlight.then(() => this.#startGroup());
    return this.#nextGroup;
  }

  /**
   * Hands what waits to the system without a sync: from now on it outlives the process, but no power cut.
   *
   * @throws StorageError as `sync` does
   */
  handOver(): void {
    this.#checkUsable();
    this.#writeForSync();
  }

  /** The body of a record, proved against its hash. */
  read(location: Location): Result<Uint8Array, LogDamage> {
    const file = `${this.#directory}/${segmentName(location.segment)}`;
    const damage = (kind: LogDamage["kind"], detail: string): Result<never, LogDamage> =>
      err({ kind, file, offset: location.offset, detail });
    const isLast = location.segment === this.#writer.number;
    if (isLast && location.offset >= this.#writer.written.offset && this.#poison === undefined) this.#write();
    const bytes = new Uint8Array(HASH_BYTES + frameBytes(location.length));
    try {
      const source = isLast ? this.#writer : this.#reader.of(location.segment);
      const count = source.read(location.offset - HASH_BYTES, bytes);
      if (count < bytes.length) return damage("badRecord", "the file ends inside the record");
    } catch (error) {
      if (!isStorageError(error)) throw error; // the disk refused to read, or the segment was dropped
      return damage(error.code === "missing" ? "missingSegment" : "unreadable", error.message);
    }
    const head = readFrameHead(bytes.subarray(HASH_BYTES), { logId: this.#logId, segment: location.segment, offset: location.offset });
    if (head?.kind !== "record" || head.length !== location.length) return damage("badRecord", "no record of this length starts here");
    const hashAt = bytes.length - HASH_BYTES;
    const isRight = bytesEqual(frameHash(bytes.subarray(0, hashAt)), bytes.subarray(hashAt));
    return isRight ? ok(bytes.subarray(HASH_BYTES + FRAME_HEAD_BYTES, hashAt)) : damage("badRecord", "the record does not match its hash");
  }

  /**
   * Visits every record from an index on, in order, each proved. What waits in memory is written first.
   *
   * @returns the damage at which it stopped, if any; records visited before it are good
   */
  forEach(fromIndex: number, visit: (body: Uint8Array, location: Location) => void): Result<void, LogDamage> {
    if (this.#poison === undefined && !this.#isClosed) this.#write();
    const segments = this.#segments();
    for (const [at, segment] of segments.entries()) {
      const endIndex = segments[at + 1]?.firstIndex ?? this.#writer.written.index;
      if (endIndex <= fromIndex) continue;
      const checked = checkSegment(this.#fs, this.#directory, this.#logId, segment, endIndex, (body, location) => {
        if (location.index >= fromIndex) visit(body, location);
      });
      if (!checked.ok) return checked;
    }
    return ok(undefined);
  }

  /** Proves everything on disk again, a segment a step, oldest first; ends early with the first damage. */
  *scrub(): Generator<void, Result<void, LogDamage>> {
    let number = 0;
    for (;;) {
      const segments = this.#segments();
      const at = segments.findIndex((segment) => segment.number >= number);
      const segment = segments[at];
      if (segment === undefined) return ok(undefined);
      const endIndex = segments[at + 1]?.firstIndex ?? this.#writer.written.index;
      const checked = checkSegment(this.#fs, this.#directory, this.#logId, segment, endIndex, () => {});
      if (!checked.ok) return checked;
      number = segment.number + 1;
      yield;
    }
  }

  /** How many segments hold only records below this index; the last one never counts. */
  countBefore(index: number): number {
    return this.#closed.filter((_, at) => (this.#closed[at + 1]?.firstIndex ?? this.#lastFirstIndex) <= index).length;
  }

  /**
   * Deletes the segments that hold only records below this index; the last segment always stays. That the rest begins
   * later is durable before the first file goes.
   *
   * @param countMax segments at most, the oldest first
   */
  dropBefore(index: number, countMax = Number.POSITIVE_INFINITY): void {
    this.#checkUsable();
    assert(index <= this.nextIndex, "only records that exist are dropped");
    const count = Math.min(countMax, this.countBefore(index));
    if (count === 0) return;
    this.#writer.add("prune", u32be(this.#closed[count]?.number ?? this.#writer.number));
    this.sync();
    this.#reader.close();
    this.#poisoningOnFailure(() => {
      for (const dropped of this.#closed.splice(0, count)) this.#fs.remove(`${this.#directory}/${segmentName(dropped.number)}`);
      this.#fs.syncDirectory(this.#directory);
    });
  }

  /** Makes everything durable, notes that the stop was clean, and lets go, also when it throws as `sync` does. */
  close(): void {
    if (this.#isClosed) return;
    try {
      if (this.#poison === undefined) this.#seal();
    } finally {
      this.#isClosed = true;
      this.#reader.close();
      this.#writer.close(this.#inFlight);
    }
  }

  #seal(): void {
    this.sync();
    this.#writer.add("seal", NOTHING);
    try {
      this.#writer.write();
      this.#writer.finish();
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error; // without room there is no seal, and nothing else is lost
    }
  }

  #segments(): readonly Segment[] {
    return [...this.#closed, { number: this.#writer.number, firstIndex: this.#lastFirstIndex, sizeBytes: this.#writer.written.offset }];
  }

  #openWriter(number: number, fileBytes: number, offset: number, index: number, tailHash: Uint8Array): SegmentWriter {
    const file = this.#fs.open(`${this.#directory}/${segmentName(number)}`, "readWrite");
    const end = { offset, index, tailHash };
    const tuning = { preallocateBytes: this.#preallocateBytes, sizeBytesMax: this.#segmentBytesMax };
    return new SegmentWriter({ file, fileBytes, logId: this.#logId, number, end, ...tuning });
  }

  /** Writes what waits; without room the un-synced records are gone, which the next sync will say. */
  #write(): void {
    try {
      this.#writer.write();
    } catch (error) {
      if (isStorageError(error, "diskFull")) this.#unreportedLoss = error;
      else this.#poisonBy(error);
      throw error;
    }
  }

  /** Writes what waits, for a sync; or reports that it is gone. */
  #writeForSync(): void {
    try {
      if (this.#unreportedLoss !== undefined) throw this.#unreportedLoss;
      this.#write();
    } finally {
      if (this.#nextGroup === undefined) this.#unreportedLoss = undefined; // else the waiters of that group are told as well
    }
  }

  #startGroup(): Promise<void> {
    this.#nextGroup = undefined;
    try {
      this.#checkUsable();
      this.#writeForSync();
    } catch (error) {
      return Promise.reject(error); // every failure belongs to the waiters
    }
    if (!this.#writer.needsSync) return Promise.resolve();
    const writer = this.#writer;
    this.#inFlight = writer.syncAsync().then(
      () => {
        this.#inFlight = undefined;
        if (this.#isClosed || this.#poison !== undefined || this.#nextGroup !== undefined || writer !== this.#writer) return;
        this.#poisoningOnFailure(() => writer.mark());
      },
      (error: unknown) => {
        this.#inFlight = undefined;
        this.#poisonBy(error);
        throw error;
      },
    );
    return this.#inFlight;
  }

  /** Ends the last segment, durably, and begins the next one, which states how it ended. */
  #beginSegment(): void {
    this.#write();
    this.#poisoningOnFailure(() => this.#writer.finish());
    const ended = this.#writer;
    const number = ended.number + 1;
    const header = encodeSegmentHeader({
      version: LOG_FORMAT_VERSION,
      number,
      firstIndex: ended.written.index,
      logId: this.#logId,
      previousSizeBytes: ended.written.offset,
      oldest: this.#closed[0]?.number ?? ended.number,
      previousTail: ended.written.tailHash,
      name: this.#name,
    });
    try {
      replaceFile(this.#fs, `${this.#directory}/${segmentName(number)}`, header);
    } catch (error) {
      if (!isStorageError(error, "diskFull")) this.#poisonBy(error);
      throw error;
    }
    const tailHash = header.subarray(SEGMENT_HEADER_BYTES - HASH_BYTES);
    this.#writer = this.#poisoningOnFailure(() =>
      this.#openWriter(number, SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES, ended.written.index, tailHash),
    );
    this.#closed.push({ number: ended.number, firstIndex: this.#lastFirstIndex, sizeBytes: ended.written.offset });
    this.#lastFirstIndex = ended.written.index;
    ended.close(this.#inFlight);
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
