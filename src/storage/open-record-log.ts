import { assert, bytesEqual, type Entropy, err, ok, present, type Result } from "../kernel/index.ts";
import { type FileSystem, parentOf, replaceFile } from "./file-system.ts";
import type { LogDamage, TornTail } from "./log-damage.ts";
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  HASH_BYTES,
  LOG_FORMAT_VERSION,
  LOG_ID_BYTES,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from "./log-format.ts";
import type { Segment } from "./log-location.ts";
import { judgeTail, type SegmentBytes } from "./log-scan.ts";
import { checkSegment, readSegment, walkRecords } from "./log-segment.ts";
import { RecordLog, type RecordLogStart, type RecordLogTuning } from "./record-log.ts";
import { isStorageError, StorageError } from "./storage-error.ts";

/** How a log is opened. */
export interface OpenLogOptions extends RecordLogTuning {
  /** What the log is for; must be the name it was created with. */
  readonly name: string;
  /** Records below this index are known, from elsewhere, to have been durable: a shorter log is damage. Default 0. */
  readonly expectAtLeast?: number;
  /** Whether the loss of this torn tail is acceptable; when false nothing is touched and the log stays closed. Default yes. */
  readonly acceptTail?: (tail: TornTail) => boolean;
  /** Closed segments are proved newest first up to this many bytes, the rest by `scrub` or when read. Default 64 MiB. */
  readonly verifyBytesMax?: number;
}

/**
 * Makes a new, empty log.
 *
 * @throws StorageError `exists` when the folder holds a log already: opening never makes one, making never opens one
 */
export function createRecordLog(
  fs: FileSystem,
  directory: string,
  options: RecordLogTuning & { readonly name: string; readonly entropy: Entropy },
): RecordLog {
  if (fs.stat(directory) !== undefined && fs.list(directory).some((name) => parseSegmentName(name) !== undefined)) {
    throw new StorageError("exists", directory, "there is a log already");
  }
  fs.makeDirectory(directory);
  fs.syncDirectory(parentOf(directory));
  const logId = options.entropy.bytes(LOG_ID_BYTES);
  const header = encodeSegmentHeader({
    version: LOG_FORMAT_VERSION,
    number: 0,
    firstIndex: 0,
    logId,
    previousSizeBytes: 0,
    oldest: 0,
    previousTail: new Uint8Array(HASH_BYTES),
    name: options.name,
  });
  replaceFile(fs, `${directory}/${segmentName(0)}`, header);
  return new RecordLog({
    fs,
    directory,
    name: options.name,
    logId,
    segments: [{ number: 0, firstIndex: 0, sizeBytes: SEGMENT_HEADER_BYTES }],
    fileBytes: SEGMENT_HEADER_BYTES,
    tailHash: header.subarray(SEGMENT_HEADER_BYTES - HASH_BYTES),
    nextIndex: 0,
    report: { tornTail: undefined, wasClosed: true },
    tuning: options,
  });
}

/**
 * Opens an existing log: proves its headers, their chain, its newest segments and its end; drops a torn tail.
 *
 * Never makes a log where there is none, never cuts off anything that may have been durable.
 *
 * @throws StorageError when the disk refuses to write (dropping the tail, syncing what a crash left)
 */
export function openRecordLog(fs: FileSystem, directory: string, options: OpenLogOptions): Result<RecordLog, LogDamage> {
  const found = examineReadable(fs, directory, options);
  if (!found.ok) return found;
  const { start, source, oldest, unproven } = found.value;
  // From here on only writing can fail, which is no damage: whoever opens it again finds it as whole as now.
  if (!start.report.wasClosed) settle(fs, directory, source, { ...unproven, fileBytes: start.fileBytes });
  // Also of a log that was closed: whoever put it in this place may have been killed before the place was durable.
  fs.syncDirectory(directory);
  fs.syncDirectory(parentOf(directory));
  removeLeftovers(fs, directory, oldest); // only now is it durable that they are not needed
  return ok(new RecordLog(start));
}

/** What reading found: a log that is whole, and what opening has still to make durable. */
interface ExaminedLog {
  readonly start: RecordLogStart;
  readonly source: SegmentBytes;
  /** Number of the oldest segment still needed. */
  readonly oldest: number;
  /** Offsets in the last segment between which no sync is known to have carried the bytes. */
  readonly unproven: { readonly from: number; readonly to: number };
}

function examineReadable(fs: FileSystem, directory: string, options: OpenLogOptions): Result<ExaminedLog, LogDamage> {
  try {
    return examine(fs, directory, options);
  } catch (error) {
    if (!isStorageError(error, "ioFailed")) throw error; // the disk refused to read: not known to be whole
    return err({ kind: "unreadable", file: error.path, offset: 0, detail: error.message });
  }
}

interface FoundSegment {
  readonly header: SegmentHeader;
  readonly sizeBytes: number;
}

function examine(fs: FileSystem, directory: string, options: OpenLogOptions): Result<ExaminedLog, LogDamage> {
  const headers = readHeaders(fs, directory, options.name);
  if (!headers.ok) return headers;
  const found = headers.value;
  const last = present(found.at(-1), "a log that is not empty has a last segment");
  const source = readSegment(fs, directory, last.header.logId, last.header.number);
  if (!source.ok) return source;
  let oldest = last.header.oldest;
  const end = walkRecords(
    source.value,
    last.header.firstIndex,
    () => {},
    (frame) => {
      if (frame.kind === "prune") oldest = new DataView(frame.body.buffer, frame.body.byteOffset).getUint32(0);
    },
  );
  const kept = checkChain(fs, directory, found, oldest);
  if (!kept.ok) return kept;
  const tail = settleTail(directory, source.value, end, options);
  if (!tail.ok) return tail;
  const segments: Segment[] = kept.value.map(({ header, sizeBytes }) => ({
    number: header.number,
    firstIndex: header.firstIndex,
    sizeBytes,
  }));
  present(segments.at(-1), "a log has a segment").sizeBytes = end.offset;
  const checked = checkClosedSegments(fs, directory, last.header.logId, segments, options.verifyBytesMax ?? 64 * 1024 * 1024);
  if (!checked.ok) return checked;
  if (end.nextIndex < (options.expectAtLeast ?? 0)) {
    const detail = `the log ends before record ${end.nextIndex}, but ${options.expectAtLeast} records were durable`;
    return err({ kind: "shortOfExpected", file: `${directory}/${segmentName(last.header.number)}`, offset: end.offset, detail });
  }
  if (tail.value.tornTail !== undefined && options.acceptTail?.(tail.value.tornTail) === false) {
    return err({
      kind: "refusedTail",
      file: tail.value.tornTail.file,
      offset: end.offset,
      detail: "the loss of the un-synced tail was not accepted",
    });
  }
  const wasClosed = end.lastKind === "seal" && source.value.bytes.length === end.offset;
  const tailHash = source.value.bytes.slice(end.offset - HASH_BYTES, end.offset);
  const start: RecordLogStart = {
    fs,
    directory,
    name: options.name,
    logId: last.header.logId,
    segments,
    fileBytes: tail.value.fileBytes,
    tailHash,
    nextIndex: end.nextIndex,
    report: { tornTail: tail.value.tornTail, wasClosed },
    tuning: options,
  };
  return ok({ start, source: source.value, oldest, unproven: { from: end.durable, to: end.offset } });
}

function readHeaders(fs: FileSystem, directory: string, name: string): Result<readonly FoundSegment[], LogDamage> {
  if (fs.stat(directory) === undefined) return err({ kind: "missing", file: directory, offset: 0, detail: "there is no such log" });
  const numbers = fs.list(directory).flatMap((entry) => parseSegmentName(entry) ?? []);
  const found: FoundSegment[] = [];
  for (const number of numbers) {
    const path = `${directory}/${segmentName(number)}`;
    const file = fs.open(path, "read");
    const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
    let sizeBytes = 0;
    try {
      file.read(0, bytes);
      sizeBytes = file.size();
    } finally {
      file.close();
    }
    const header = decodeSegmentHeader(bytes);
    const damage = (kind: LogDamage["kind"], detail: string): Result<never, LogDamage> => err({ kind, file: path, offset: 0, detail });
    if (header === undefined) return damage("badHeader", "the header of the segment is not what was written");
    if (header.version > LOG_FORMAT_VERSION)
      return damage("tooNew", `format ${header.version} is newer than this release knows (${LOG_FORMAT_VERSION})`);
    const logId = found[0]?.header.logId ?? header.logId;
    if (header.name !== name || !bytesEqual(header.logId, logId))
      return damage("wrongLog", `the segment belongs to another log, "${header.name}"`);
    if (header.number !== number) return damage("wrongLog", `the file holds segment ${header.number}`);
    found.push({ header, sizeBytes });
  }
  if (found.length === 0) return err({ kind: "empty", file: directory, offset: 0, detail: "the log has no segment" });
  return ok(found);
}

/** Checks that the segments from the oldest needed one on are all there and follow from each other. */
function checkChain(
  fs: FileSystem,
  directory: string,
  found: readonly FoundSegment[],
  oldest: number,
): Result<readonly FoundSegment[], LogDamage> {
  const kept = found.filter(({ header }) => header.number >= oldest);
  for (let at = 0; at < kept.length; at++) {
    const { header } = present(kept[at], "the index lies in the list");
    if (header.number !== oldest + at) {
      return err({ kind: "missingSegment", file: `${directory}/${segmentName(oldest + at)}`, offset: 0, detail: "a segment is missing" });
    }
    const previous = kept[at - 1];
    if (previous === undefined) continue;
    const file = `${directory}/${segmentName(previous.header.number)}`;
    if (previous.sizeBytes !== header.previousSizeBytes) {
      const detail = `the segment has ${previous.sizeBytes} bytes, it was closed with ${header.previousSizeBytes}`;
      return err({ kind: "badChain", file, offset: Math.min(previous.sizeBytes, header.previousSizeBytes), detail });
    }
    if (!bytesEqual(readTailHash(fs, file, previous.sizeBytes), header.previousTail)) {
      return err({
        kind: "badChain",
        file,
        offset: previous.sizeBytes - HASH_BYTES,
        detail: "the segment does not end with the hash it was closed with",
      });
    }
  }
  assert(kept.length > 0, "the last segment is always kept");
  return ok(kept);
}

function readTailHash(fs: FileSystem, path: string, sizeBytes: number): Uint8Array {
  const hash = new Uint8Array(HASH_BYTES);
  const file = fs.open(path, "read");
  try {
    file.read(sizeBytes - HASH_BYTES, hash);
  } finally {
    file.close();
  }
  return hash;
}

/** Judges what lies behind the last right frame. Space laid out ahead is kept when the owner lays out ahead. */
function settleTail(
  directory: string,
  source: SegmentBytes,
  end: { readonly offset: number; readonly lastKind: string | undefined },
  options: OpenLogOptions,
): Result<{ readonly tornTail: TornTail | undefined; readonly fileBytes: number }, LogDamage> {
  const file = `${directory}/${segmentName(source.segment)}`;
  const verdict = judgeTail(source, end.offset);
  switch (verdict.kind) {
    case "clean":
      return ok({ tornTail: undefined, fileBytes: end.offset });
    case "unused":
      if ((options.preallocateBytes ?? 0) > 0) return ok({ tornTail: undefined, fileBytes: source.bytes.length });
      return ok({
        tornTail: { file, offset: end.offset, sizeBytes: verdict.sizeBytes, wholeRecordCount: 0, shape: "zeros" },
        fileBytes: end.offset,
      });
    case "torn":
      return ok({ tornTail: { file, ...verdict.tail }, fileBytes: end.offset });
    case "damaged":
      return err({ kind: "badRecord", file, offset: end.offset, detail: verdict.detail });
  }
}

function checkClosedSegments(
  fs: FileSystem,
  directory: string,
  logId: Uint8Array,
  segments: readonly Segment[],
  bytesMax: number,
): Result<void, LogDamage> {
  let left = bytesMax;
  for (let at = segments.length - 2; at >= 0; at--) {
    const segment = present(segments[at], "the index lies in the list");
    left -= segment.sizeBytes;
    if (left < 0) return ok(undefined);
    const next = present(segments[at + 1], "a closed segment has a next one");
    const checked = checkSegment(fs, directory, logId, segment, next.firstIndex, () => {});
    if (!checked.ok) return checked;
  }
  return ok(undefined);
}

/**
 * Drops the torn tail, and makes durable what a killed process left un-synced, before anyone relies on it. What no sync is
 * known to have carried is written once more: after a failed sync the system may hold it in memory as if it were on disk,
 * and a sync of unchanged bytes writes nothing. It goes into a copy that takes the file's place, for most of it is durable
 * and a power cut may garble what is written over.
 */
function settle(fs: FileSystem, directory: string, source: SegmentBytes, span: { from: number; to: number; fileBytes: number }): void {
  const path = `${directory}/${segmentName(source.segment)}`;
  if (span.from < span.to) replaceFile(fs, path, source.bytes.subarray(0, span.fileBytes));
  else {
    const file = fs.open(path, "readWrite");
    try {
      if (file.size() > span.fileBytes) file.truncate(span.fileBytes);
      file.sync();
    } finally {
      file.close();
    }
  }
}

/** Finishes what a crash interrupted: the removal of pruned segments, and a segment that was never put in place. */
function removeLeftovers(fs: FileSystem, directory: string, oldest: number): void {
  const leftovers = fs.list(directory).filter((name) => {
    const number = parseSegmentName(name);
    return number === undefined ? name.endsWith(".seg.new") : number < oldest;
  });
  for (const name of leftovers) fs.remove(`${directory}/${name}`);
  if (leftovers.length > 0) fs.syncDirectory(directory);
}
