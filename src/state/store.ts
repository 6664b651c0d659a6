import { sha256 } from "../crypto/index.ts";
import { bytesEqual, CborReader, CborWriter, concatBytes, err, ok, type Result, toHex, u32be, utf8 } from "../kernel/index.ts";
import { STATE_BUCKETS } from "../protocol/index.ts";
import { type FileSystem, isStorageError, type OpenFile, parentOf, type StorageErrorCode } from "../storage/index.ts";
import { type CheckpointFailure, type CheckpointMark, decodePart } from "./checkpoint.ts";
import { isPackedBucket, type PackedBucket } from "./packed-bucket.ts";

export { type FileSystem, nodeFileSystem } from "../storage/index.ts";

/** Version of the file's layout. */
const FORMAT = 1;
const MAGIC = utf8("BZSTATE");
const PREAMBLE_BYTES = 8;
const SIZE_BYTES = 4;
const DIGEST_BYTES = 32;

/**
 * Why a checkpoint cannot be used: there is none, it is damaged, a later release wrote it, or it is another chain's. In
 * every case the state is rebuilt from the chain, and the next checkpoint replaces the file.
 */
export type CheckpointFault = { readonly code: "absent" | "damaged" | "tooNew" | "otherChain"; readonly detail: string };

/**
 * Writes a checkpoint file: "BZSTATE" | u8 format, then parts u32 size | content | digest, the first the mark, the last
 * one empty. A digest is SHA-256 over the digest before it (at first over the preamble's), the size and the content, so
 * no byte can change and no part be lost, moved or added unnoticed.
 *
 * The file grows beside its final place and moves there, durable, in `finish`: what a crash leaves is the checkpoint
 * before.
 *
 * @throws StorageError from every method
 */
export class CheckpointFile {
  readonly #fs: FileSystem;
  readonly #path: string;
  readonly #file: OpenFile;
  #chain: Uint8Array;
  #sizeBytes = 0;

  /**
   * @param isWanted asked of each part that an unfinished file of this mark holds, in order; the parts up to the first that
   *   is not wanted, or not whole, are kept. Without it such a file goes.
   */
  constructor(fs: FileSystem, path: string, mark: CheckpointMark, isWanted?: (part: Uint8Array) => boolean) {
    this.#fs = fs;
    this.#path = path;
    const beside = besideOf(path);
    const preamble = concatBytes(MAGIC, Uint8Array.of(FORMAT));
    const isThere = fs.stat(beside) !== undefined;
    if (isThere && !isWanted) fs.remove(beside);
    this.#file = isThere && isWanted ? fs.open(beside, "readWrite") : fs.open(beside, "createNew");
    const held = isThere && isWanted ? this.#file.size() : 0;
    this.#chain = sha256(preamble);
    if (held > 0 && isWanted && this.#goOn(preamble, encodeMark(mark), held, isWanted)) return;
    this.#file.truncate(0);
    this.#sizeBytes = 0;
    this.#chain = sha256(preamble);
    this.#write(preamble);
    this.append(encodeMark(mark));
  }

  /** Takes over what an unfinished file holds, proved part by part; false when it is not one of this mark. */
  #goOn(preamble: Uint8Array, mark: Uint8Array, heldBytes: number, isWanted: (part: Uint8Array) => boolean): boolean {
    const found = new Uint8Array(preamble.length);
    if (this.#file.read(0, found) < found.length || !bytesEqual(found, preamble)) return false;
    this.#sizeBytes = preamble.length;
    let isMark = true;
    for (;;) {
      const part = this.#readPart(heldBytes);
      if (isMark && !(part && bytesEqual(part, mark))) return false;
      if (!part || part.length === 0 || (!isMark && !isWanted(part))) break;
      isMark = false;
      this.#chain = sha256(this.#chain, u32be(part.length), part);
      this.#sizeBytes += SIZE_BYTES + part.length + DIGEST_BYTES;
    }
    this.#file.truncate(this.#sizeBytes);
    return true;
  }

  #readPart(heldBytes: number): Uint8Array | undefined {
    const head = new Uint8Array(SIZE_BYTES);
    if (this.#file.read(this.#sizeBytes, head) < head.length) return undefined;
    const length = new DataView(head.buffer).getUint32(0);
    if (this.#sizeBytes + SIZE_BYTES + length + DIGEST_BYTES > heldBytes) return undefined;
    const rest = new Uint8Array(length + DIGEST_BYTES);
    if (this.#file.read(this.#sizeBytes + head.length, rest) < rest.length) return undefined;
    const part = rest.subarray(0, length);
    return bytesEqual(sha256(this.#chain, head, part), rest.subarray(length)) ? part : undefined;
  }

  /** Appends a part that `encodePart` made. */
  append(part: Uint8Array): void {
    const size = u32be(part.length);
    this.#chain = sha256(this.#chain, size, part);
    this.#write(concatBytes(size, part, this.#chain));
  }

  /** Ends the file, makes it durable and puts it in place of the one before. Gives its size in bytes. */
  finish(): number {
    this.append(new Uint8Array(0));
    this.#file.sync();
    this.#file.close();
    this.#fs.rename(besideOf(this.#path), this.#path);
    this.#fs.syncDirectory(parentOf(this.#path));
    return this.#sizeBytes;
  }

  /** Lets go of an unfinished file; what is left of it is removed by the next one. */
  abandon(): void {
    this.#file.close();
  }

  #write(bytes: Uint8Array): void {
    this.#file.write(this.#sizeBytes, bytes);
    this.#sizeBytes += bytes.length;
  }
}

/**
 * Reads a checkpoint file, every byte of it checked against its digests. That the buckets are the state that the mark
 * names is for the caller to see by their root.
 *
 * @throws StorageError when the disk fails or the file cannot be read
 */
export function readCheckpoint(
  fs: FileSystem,
  path: string,
  chainId: Uint8Array,
  take: (bucket: number, entries: PackedBucket) => void,
): Result<CheckpointMark, CheckpointFault> {
  if (fs.stat(path) === undefined) return err({ code: "absent", detail: `${path} does not exist` });
  const file = fs.open(path, "read");
  try {
    return readParts(new PartReader(file), path, chainId, take);
  } finally {
    file.close();
  }
}

/** A checkpoint file that is read part by part and stays open. */
export class OpenCheckpoint {
  readonly mark: CheckpointMark;
  readonly #file: OpenFile;
  readonly #parts: PartReader;
  readonly #path: string;

  private constructor(file: OpenFile, parts: PartReader, mark: CheckpointMark, path: string) {
    this.#file = file;
    this.#parts = parts;
    this.mark = mark;
    this.#path = path;
  }

  /**
   * Opens a checkpoint of this chain.
   *
   * @throws StorageError when the disk fails or the file cannot be read
   */
  static open(fs: FileSystem, path: string, chainId: Uint8Array): Result<OpenCheckpoint, CheckpointFault> {
    if (fs.stat(path) === undefined) return err({ code: "absent", detail: `${path} does not exist` });
    const file = fs.open(path, "read");
    const parts = new PartReader(file);
    const mark = readMark(parts, path, chainId);
    if (mark.ok) return ok(new OpenCheckpoint(file, parts, mark.value, path));
    file.close();
    return mark;
  }

  /** The next part with the place of its content, empty for the last. */
  nextPart(): Result<{ readonly content: Uint8Array; readonly offset: number }, CheckpointFault> {
    const content = this.#parts.next();
    if (!content) return err({ code: "damaged", detail: `${this.#path}: ${this.#parts.place()}` });
    return ok({ content, offset: this.#parts.at - DIGEST_BYTES - content.length });
  }

  /** Bytes at a place; undefined beyond the end. */
  read(offset: number, count: number): Uint8Array | undefined {
    const bytes = new Uint8Array(count);
    return this.#file.read(offset, bytes) < count ? undefined : bytes;
  }

  /** Releases the file. */
  close(): void {
    this.#file.close();
  }
}

function readMark(parts: PartReader, path: string, chainId: Uint8Array): Result<CheckpointMark, CheckpointFault> {
  const damaged = (detail: string) => err({ code: "damaged", detail: `${path}: ${detail}` } as const);
  const format = parts.readPreamble();
  if (format === undefined) return damaged("it does not begin as a checkpoint does");
  if (format > FORMAT) return err({ code: "tooNew", detail: `${path} has format ${format}, this release knows up to ${FORMAT}` });
  const head = parts.next();
  const mark = head && decodeMark(head);
  if (mark === undefined) return damaged(parts.place());
  if (bytesEqual(mark.chainId, chainId)) return ok(mark);
  return err({ code: "otherChain", detail: `${path} holds a state of chain ${toHex(mark.chainId)}, not of ${toHex(chainId)}` });
}

function readParts(
  parts: PartReader,
  path: string,
  chainId: Uint8Array,
  take: (bucket: number, entries: PackedBucket) => void,
): Result<CheckpointMark, CheckpointFault> {
  const damaged = (detail: string) => err({ code: "damaged", detail: `${path}: ${detail}` } as const);
  const mark = readMark(parts, path, chainId);
  if (!mark.ok) return mark;
  let isWhole = true;
  const takeBucket = (bucket: number, entries: Uint8Array): void => {
    if (bucket < STATE_BUCKETS && isPackedBucket(entries)) take(bucket, entries);
    else isWhole = false;
  };
  for (let part = parts.next(); part === undefined || part.length > 0; part = parts.next()) {
    if (part === undefined || !decodePart(part, takeBucket) || !isWhole) return damaged(parts.place());
  }
  return parts.isAtEnd ? mark : damaged("something follows its end");
}

/** Reads and checks the parts of a file one after another. */
class PartReader {
  readonly #file: OpenFile;
  readonly #sizeBytes: number;
  #at = 0;
  #chain: Uint8Array = new Uint8Array(0);

  constructor(file: OpenFile) {
    this.#file = file;
    this.#sizeBytes = file.size();
  }

  /** How far it was read, in bytes. */
  get at(): number {
    return this.#at;
  }

  /** Whether every byte was read. */
  get isAtEnd(): boolean {
    return this.#at === this.#sizeBytes;
  }

  /** Where the part that could not be read stands, in words. */
  place(): string {
    return `the part before byte ${this.#at} of ${this.#sizeBytes} is not what was written`;
  }

  /** The file's format, or undefined when it is no checkpoint. */
  readPreamble(): number | undefined {
    const preamble = this.#read(PREAMBLE_BYTES);
    if (preamble === undefined || !bytesEqual(preamble.subarray(0, MAGIC.length), MAGIC)) return undefined;
    this.#chain = sha256(preamble);
    return preamble[MAGIC.length];
  }

  /** The next part, empty for the last; undefined when it is damaged or cut off. */
  next(): Uint8Array | undefined {
    const size = this.#read(SIZE_BYTES);
    if (size === undefined) return undefined;
    const part = this.#read(new DataView(size.buffer).getUint32(0));
    const digest = this.#read(DIGEST_BYTES);
    if (part === undefined || digest === undefined) return undefined;
    this.#chain = sha256(this.#chain, size, part);
    return bytesEqual(this.#chain, digest) ? part : undefined;
  }

  #read(count: number): Uint8Array | undefined {
    if (count > this.#sizeBytes - this.#at) return undefined;
    const bytes = new Uint8Array(count);
    if (this.#file.read(this.#at, bytes) < count) return undefined;
    this.#at += count;
    return bytes;
  }
}

/**
 * Runs one step of writing and turns a failure of the disk into a verdict.
 *
 * @throws what is no StorageError
 */
export function attempting<T>(step: () => T): Result<T, CheckpointFailure> {
  try {
    return ok(step());
  } catch (error) {
    if (!isStorageError(error)) throw error;
    const full: StorageErrorCode = "diskFull";
    return err({ code: error.code === full ? "diskFull" : "unavailable", detail: error.message });
  }
}

function besideOf(path: string): string {
  return `${path}.new`;
}

function encodeMark({ chainId, height, stateRoot }: CheckpointMark): Uint8Array {
  return new CborWriter(96).array(3).bytes(chainId).uint(height).bytes(stateRoot).finish();
}

function decodeMark(bytes: Uint8Array): CheckpointMark | undefined {
  const r = new CborReader(bytes);
  if (r.array(3) !== 3) r.reject();
  const mark = { chainId: r.bytes(32), height: r.uint(), stateRoot: r.bytes(32) };
  return r.isComplete ? mark : undefined;
}
