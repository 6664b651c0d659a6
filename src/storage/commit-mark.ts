import { bytesEqual } from "../kernel/index.ts";
import { type FileSystem, type OpenFile, parentOf } from "./file-system.ts";
import { isStorageError } from "./storage-error.ts";
import { decodeWalFrameHeader, WAL_FRAME_HEADER_BYTES, type WalChecksum, type WalSalt, walFrameOffset } from "./wal-format.ts";
import type { WalMark } from "./wal-inspection.ts";

const MARK_BYTES = 40;
const MAGIC = 0x425a4d4b;

/**
 * A small file beside a database that says how far its write-ahead log was committed: rewritten after every commit, never
 * synced. It survives the end of the process, and a power cut but for the last half minute; so the loss of a commit older
 * than that cannot pass for a torn write.
 *
 * Layout: magic u32, salt u32 u32, frames u32, checksum u32 u32, commits in the log u64, xxHash64 of all before.
 */
export class CommitMark {
  readonly #file: OpenFile;

  private constructor(file: OpenFile) {
    this.#file = file;
  }

  /** Makes the file, durably, with nothing marked. */
  static create(fs: FileSystem, path: string): void {
    const file = fs.open(path, "createNew");
    file.write(0, encode({ salt: { first: 0, second: 0 }, frameCount: 0, checksum: { first: 0, second: 0 } }));
    file.sync();
    file.close();
    fs.syncDirectory(parentOf(path));
  }

  /** What the file says; `unreadable` when it is not what was written, or not there. */
  static read(fs: FileSystem, path: string): WalMark | "unreadable" {
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

  /** Writes down how far the log is committed; a full disk is no failure, the file has its room already. */
  write(mark: WalMark): void {
    this.#file.write(0, encode(mark));
  }

  /** Lets go. */
  close(): void {
    this.#file.close();
  }
}

function encode(mark: WalMark): Uint8Array {
  const out = new Uint8Array(MARK_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, mark.salt.first);
  view.setUint32(8, mark.salt.second);
  view.setUint32(12, mark.frameCount);
  view.setUint32(16, mark.checksum.first);
  view.setUint32(20, mark.checksum.second);
  view.setBigUint64(32, Bun.hash.xxHash64(out.subarray(0, 32)));
  return out;
}

function decode(bytes: Uint8Array): WalMark | undefined {
  if (bytes.length !== MARK_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, MARK_BYTES);
  const mark = {
    salt: { first: view.getUint32(4), second: view.getUint32(8) },
    frameCount: view.getUint32(12),
    checksum: { first: view.getUint32(16), second: view.getUint32(20) },
  };
  return bytesEqual(encode(mark), bytes) ? mark : undefined;
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
