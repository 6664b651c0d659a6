import { bytesEqual } from "../kernel/index.ts";
import { type FileSystem, type OpenFile, parentOf } from "./file-system.ts";
import { nodeFileSystem } from "./node-file-system.ts";
import { isStorageError } from "./storage-error.ts";
import { decodeWalFrameHeader, WAL_FRAME_HEADER_BYTES, type WalChecksum, type WalSalt, walFrameOffset } from "./wal-format.ts";
import type { WalMark } from "./wal-inspection.ts";

const MARK_BYTES = 48;
const MAGIC = 0x425a4d4b;

/** How far a database was committed. */
export interface CommitMarkContent extends WalMark {
  /** Commits since the database was made: once a checkpoint has moved as many, the rest of the mark says nothing more. */
  readonly commitCount: number;
  /** The start of the machine during which it was written; 0n when unknown. */
  readonly boot: bigint;
}

/** Nothing was committed. */
const NO_COMMIT: CommitMarkContent = {
  salt: { first: 0, second: 0 },
  frameCount: 0,
  checksum: { first: 0, second: 0 },
  commitCount: 0,
  boot: 0n,
};

/** Tells this start of the machine from any other; 0n where the system does not say. @see random(4), boot_id */
export function currentBoot(): bigint {
  try {
    return Bun.hash.xxHash64(nodeFileSystem.readFile("/proc/sys/kernel/random/boot_id"));
  } catch (error) {
    if (!isStorageError(error)) throw error; // no such file on this system
    return 0n;
  }
}

/**
 * A small file beside a database that says how far its write-ahead log was committed: rewritten after every commit, never
 * synced. It survives the end of the process, and a power cut but for the last half minute; so the loss of a commit older
 * than that cannot pass for a torn write.
 *
 * Layout: magic u32, salt u32 u32, frames u32, checksum u32 u32, commits u64, boot u64, xxHash64 of all before.
 */
export class CommitMark {
  readonly #file: OpenFile;

  private constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Makes the file, durably, with nothing marked. */
  static create(fs: FileSystem, path: string): void {
    const file = fs.open(path, "createNew");
    file.write(0, encode(NO_COMMIT));
    file.sync();
    file.close();
    fs.syncDirectory(parentOf(path));
  }

  /** What the file says; `unreadable` when it is not what was written, or not there. */
  static read(fs: FileSystem, path: string): CommitMarkContent | "unreadable" {
    try {
      return decode(fs.readFile(path)) ?? "unreadable";
    } catch (error) {
      if (!isStorageError(error)) throw error; // the mark is a witness, not data: without it the rest is judged alone
      return "unreadable";
    }
  }

  /** Opens the file to write, making it when it is gone. */
  static open(fs: FileSystem, path: string): CommitMark {
    if (fs.stat(path) === undefined) CommitMark.create(fs, path);
    return new CommitMark(fs.open(path, "readWrite"));
  }

  /** Writes down how far the log is committed; a disk too full even for that keeps the older mark, a weaker witness. */
  write(mark: CommitMarkContent): void {
    try {
      this.#file.write(0, encode(mark));
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error; // a file system that copies on write may need room to overwrite
    }
  }

  /** Lets go. */
  close(): void {
    this.#file.close();
  }
}

function encode(mark: CommitMarkContent): Uint8Array {
  const out = new Uint8Array(MARK_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, mark.salt.first);
  view.setUint32(8, mark.salt.second);
  view.setUint32(12, mark.frameCount);
  view.setUint32(16, mark.checksum.first);
  view.setUint32(20, mark.checksum.second);
  view.setBigUint64(24, BigInt(mark.commitCount));
  view.setBigUint64(32, mark.boot);
  view.setBigUint64(40, Bun.hash.xxHash64(out.subarray(0, 40)));
  return out;
}

function decode(bytes: Uint8Array): CommitMarkContent | undefined {
  if (bytes.length !== MARK_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MARK_BYTES);
  const mark = {
    salt: { first: view.getUint32(4), second: view.getUint32(8) },
    frameCount: view.getUint32(12),
    checksum: { first: view.getUint32(16), second: view.getUint32(20) },
    commitCount: Number(view.getBigUint64(24)),
    boot: view.getBigUint64(32),
  };
  return Number.isSafeInteger(mark.commitCount) && bytesEqual(encode(mark), bytes) ? mark : undefined;
}

/** What a log says of its commits between two frame counts. */
export interface WalProgress {
  readonly salt: WalSalt;
  readonly checksum: WalChecksum;
  /** Commits that end between the two. */
  readonly commitCount: number;
}

/** Reads the frame headers `from` (inclusive) to `to` (exclusive) of an open log; `to` is above `from`. */
export function readWalProgress(wal: OpenFile, pageBytes: number, from: number, to: number): WalProgress {
  const bytes = new Uint8Array(WAL_FRAME_HEADER_BYTES);
  let commitCount = 0;
  for (let frame = from; frame < to; frame++) {
    wal.read(walFrameOffset(pageBytes, frame), bytes);
    if (decodeWalFrameHeader(bytes).pageCount !== 0) commitCount++;
  }
  const { salt, checksum } = decodeWalFrameHeader(bytes);
  return { salt, checksum, commitCount };
}
