import { type Entropy, Prng, present } from "../../../src/kernel/index.ts";
import {
  createRecordLog,
  type FileSystem,
  type LogDamage,
  MemoryFileSystem,
  type OpenLogOptions,
  openRecordLog,
  type RecordLog,
} from "../../../src/storage/index.ts";

/** Where the sample logs lie. */
export const LOG_FOLDER = "/log";

/** Small segments, so that a few records fill several. */
export const SMALL: OpenLogOptions = { name: "sample", segmentBytesMax: 4096 };

/** Bytes from a seed. */
export function seededEntropy(seed: number): Entropy {
  const prng = new Prng(seed);
  return { bytes: (count) => prng.bytes(count) };
}

/** The body of record `index`: 0 to 799 bytes that depend on it alone. */
export function bodyOf(index: number): Uint8Array {
  const prng = new Prng(1000 + index);
  return prng.bytes(prng.below(prng.chance(0.2) ? 800 : 120));
}

/** A new log on this disk with `count` records, synced three at a time. */
export function newLog(fs: FileSystem, count = 0, options: OpenLogOptions = SMALL): RecordLog {
  const log = createRecordLog(fs, LOG_FOLDER, { ...options, entropy: seededEntropy(7) });
  for (let index = 0; index < count; index++) {
    log.append(bodyOf(index));
    if (index % 3 === 2) log.sync();
  }
  log.sync();
  return log;
}

/** Opens the log, which must be possible. */
export function reopen(fs: FileSystem, options: OpenLogOptions = SMALL): RecordLog {
  const opened = openRecordLog(fs, LOG_FOLDER, options);
  if (!opened.ok) throw new Error(`${opened.error.kind} in ${opened.error.file} at ${opened.error.offset}: ${opened.error.detail}`);
  return opened.value;
}

/** Opens the log, which must be refused. */
export function refusalOf(fs: FileSystem, options: OpenLogOptions = SMALL): LogDamage {
  const opened = openRecordLog(fs, LOG_FOLDER, options);
  if (opened.ok) throw new Error("the damage went unnoticed");
  return opened.error;
}

/** All bodies from an index on. */
export function bodiesOf(log: RecordLog, fromIndex = 0): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  const read = log.forEach(fromIndex, (body) => bodies.push(body.slice()));
  if (!read.ok) throw new Error(read.error.detail);
  return bodies;
}

/** A disk with nothing but these files. */
export function diskOf(image: ReadonlyMap<string, Uint8Array>): MemoryFileSystem {
  const fs = new MemoryFileSystem();
  fs.makeDirectory(LOG_FOLDER);
  fs.syncDirectory("/");
  fs.restore(image, LOG_FOLDER);
  return fs;
}

/** The path of the newest segment. */
export function lastSegment(fs: MemoryFileSystem): string {
  return present(fs.files(LOG_FOLDER).at(-1), "the log has a segment");
}
