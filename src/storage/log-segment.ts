import { err, ok, type Result } from "../kernel/index.ts";
import type { FileSystem } from "./file-system.ts";
import type { LogDamage } from "./log-damage.ts";
import { segmentName } from "./log-format.ts";
import type { Location, Segment } from "./log-location.ts";
import { type ScannedFrame, type SegmentBytes, type WalkEnd, walkFrames } from "./log-scan.ts";
import { isStorageError } from "./storage-error.ts";

/** Reads a whole segment; `unreadable` when the disk refuses. */
export function readSegment(fs: FileSystem, directory: string, logId: Uint8Array, number: number): Result<SegmentBytes, LogDamage> {
  const file = `${directory}/${segmentName(number)}`;
  try {
    return ok({ bytes: fs.readFile(file), logId, segment: number });
  } catch (error) {
    if (!isStorageError(error)) throw error; // the disk refused to read
    return err({ kind: error.code === "missing" ? "missingSegment" : "unreadable", file, offset: 0, detail: error.message });
  }
}

/** Walks a segment and counts its records, with their locations. */
export function walkRecords(
  source: SegmentBytes,
  firstIndex: number,
  visit: (body: Uint8Array, location: Location) => void,
  visitOther: (frame: ScannedFrame) => void,
): WalkEnd & { readonly nextIndex: number } {
  let index = firstIndex;
  const end = walkFrames(source, (frame) => {
    if (frame.kind !== "record") return visitOther(frame);
    visit(frame.body, { index, segment: source.segment, offset: frame.offset, length: frame.length });
    index++;
  });
  return { ...end, nextIndex: index };
}

/** Proves a segment whose size and record count are known, visiting its records. */
export function checkSegment(
  fs: FileSystem,
  directory: string,
  logId: Uint8Array,
  segment: Segment,
  endIndex: number,
  visit: (body: Uint8Array, location: Location) => void,
): Result<void, LogDamage> {
  const source = readSegment(fs, directory, logId, segment.number);
  if (!source.ok) return source;
  const end = walkRecords(source.value, segment.firstIndex, visit, () => {});
  if (end.offset === segment.sizeBytes && end.nextIndex === endIndex) return ok(undefined);
  const file = `${directory}/${segmentName(segment.number)}`;
  return err({ kind: "badRecord", file, offset: end.offset, detail: `${endIndex - end.nextIndex} records from here on cannot be proved` });
}
