import { SECTOR_BYTES } from "./file-system.ts";
import {
  decodeWalFrameHeader,
  decodeWalHeader,
  findWordErrors,
  isSameChecksum,
  isSameSalt,
  WAL_FRAME_HEADER_BYTES,
  WAL_HEADER_BYTES,
  type WalChecksum,
  type WalFrameHeader,
  type WalHeader,
  walChecksum,
  walFrameOffset,
} from "./wal-format.ts";

/** How far a write-ahead log is known to have been durable: written down elsewhere after a commit. */
export interface WalMark {
  readonly salt: WalHeader["salt"];
  /** Frames that were committed. */
  readonly frameCount: number;
  /** Checksum through the last of them. */
  readonly checksum: WalChecksum;
}

/** A log whose every commit is whole. */
export interface SoundWal {
  readonly kind: "sound";
  readonly header: WalHeader;
  /** Frames up to the end of the last commit. */
  readonly frameCount: number;
  readonly commitCount: number;
  /** Checksum through the last committed frame. */
  readonly checksum: WalChecksum;
  /** For each page that a commit wrote: its latest content. Views into the inspected bytes. */
  readonly pages: ReadonlyMap<number, Uint8Array>;
  /** Pages of the database after the last commit; 0 when there is none. */
  readonly pageCount: number;
  /** Bytes behind the last commit: frames of a step that never committed, or un-synced ones that a crash tore. */
  readonly droppedBytes: number;
}

/** What a write-ahead log is found to be. `empty` also when there is no file. */
export type WalVerdict =
  | { readonly kind: "empty" }
  | SoundWal
  | { readonly kind: "damaged"; readonly offset: number; readonly detail: string };

/**
 * Judges a write-ahead log before SQLite sees it: SQLite takes the commits before the first wrong frame and forgets the
 * rest without a word.
 *
 * Wrong bytes are a torn end only when nothing says that they were ever durable. They are damage when
 * - the mark says that more was committed;
 * - commits reach the disk one by one (`syncsEachCommit`), and a right frame follows the end of the commit they stand in;
 * - one changed word explains them: a torn write loses sectors, it does not change words.
 *
 * @see https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function inspectWal(bytes: Uint8Array, mark: WalMark | undefined, syncsEachCommit: boolean): WalVerdict {
  const header = decodeWalHeader(bytes);
  if (header === undefined) return judgeHeaderless(bytes, mark);
  const frames = new WalFrames(bytes, header);
  const pages = new Map<number, Uint8Array>();
  let uncommitted: { page: number; frame: number }[] = [];
  let committed = { frameCount: 0, commitCount: 0, checksum: header.checksum, pageCount: 0 };
  let checksum = header.checksum;
  let frame = 0;
  let isMarkMet = mark === undefined || mark.frameCount === 0;
  for (; frame < frames.count; frame++) {
    const head = frames.head(frame);
    if (!frames.isRight(frame, checksum)) break;
    checksum = head.checksum;
    uncommitted.push({ page: head.page, frame });
    if (mark?.frameCount === frame + 1) isMarkMet = isSameChecksum(mark.checksum, checksum);
    if (head.pageCount === 0) continue;
    for (const written of uncommitted) pages.set(written.page, frames.page(written.frame));
    uncommitted = [];
    committed = { frameCount: frame + 1, commitCount: committed.commitCount + 1, checksum, pageCount: head.pageCount };
  }
  const offset = walFrameOffset(header.pageBytes, frame);
  if (mark !== undefined && (!isSameSalt(mark.salt, header.salt) || !isMarkMet || mark.frameCount > committed.frameCount)) {
    return { kind: "damaged", offset, detail: `${mark.frameCount} frames were committed, ${committed.frameCount} are right` };
  }
  if (frame < frames.count) {
    const objection = frames.objectionTo(frame, checksum, syncsEachCommit);
    if (objection !== undefined) return { kind: "damaged", offset, detail: objection };
  }
  for (const [page] of pages) if (page > committed.pageCount) pages.delete(page);
  const droppedBytes = bytes.length - walFrameOffset(header.pageBytes, committed.frameCount);
  return { kind: "sound", header, pages, droppedBytes, ...committed };
}

/** Without a right header: nothing was ever committed, or the header is damaged. It is synced before the first frame. */
function judgeHeaderless(bytes: Uint8Array, mark: WalMark | undefined): WalVerdict {
  if (mark !== undefined && mark.frameCount > 0)
    return { kind: "damaged", offset: 0, detail: `${mark.frameCount} committed frames are gone` };
  if (bytes.length <= WAL_HEADER_BYTES) return { kind: "empty" };
  return { kind: "damaged", offset: 0, detail: "the header of the write-ahead log is not what was written" };
}

/** The frames of a log by number, from 0. */
class WalFrames {
  /** Whole frames that fit the file. */
  readonly count: number;
  readonly #bytes: Uint8Array;
  readonly #header: WalHeader;

  constructor(bytes: Uint8Array, header: WalHeader) {
    this.#bytes = bytes;
    this.#header = header;
    this.count = Math.floor((bytes.length - WAL_HEADER_BYTES) / (WAL_FRAME_HEADER_BYTES + header.pageBytes));
  }

  head(frame: number): WalFrameHeader {
    return decodeWalFrameHeader(this.#bytes.subarray(this.#offset(frame)));
  }

  page(frame: number): Uint8Array {
    const start = this.#offset(frame) + WAL_FRAME_HEADER_BYTES;
    return this.#bytes.subarray(start, start + this.#header.pageBytes);
  }

  /** Whether the frame is of this life of the log and carries this checksum on. */
  isRight(frame: number, before: WalChecksum): boolean {
    const head = this.head(frame);
    return head.page !== 0 && isSameSalt(head.salt, this.#header.salt) && isSameChecksum(head.checksum, this.#checksumOf(frame, before));
  }

  /** Why a wrong frame cannot be a torn write; undefined when it can. */
  objectionTo(frame: number, before: WalChecksum, syncsEachCommit: boolean): string | undefined {
    if (this.#isOneWordOff(frame, before)) return `frame ${frame} differs from what was written in a single place`;
    if (syncsEachCommit && this.#isFollowedByCommit(frame)) return `frame ${frame} is wrong, and a later commit follows it`;
    return undefined;
  }

  #offset(frame: number): number {
    return walFrameOffset(this.#header.pageBytes, frame);
  }

  #checksumOf(frame: number, before: WalChecksum): WalChecksum {
    return walChecksum(walChecksum(before, this.#bytes.subarray(this.#offset(frame), this.#offset(frame) + 8)), this.page(frame));
  }

  #isOneWordOff(frame: number, before: WalChecksum): boolean {
    const head = this.head(frame);
    const computed = this.#checksumOf(frame, before);
    const isSalted = isSameSalt(head.salt, this.#header.salt);
    if (isSameChecksum(head.checksum, computed)) return true; // only the salt is wrong, which no checksum covers
    if (!isSalted) return false;
    if (head.checksum.first === computed.first || head.checksum.second === computed.second) return true;
    const wordCount = (8 + this.#header.pageBytes) / 4;
    return findWordErrors(wordCount, head.checksum, computed).some((word) => !this.#isInZeroSector(frame, word));
  }

  /** Whether the sector that holds this word of the frame is all zeros from the frame on, so may never have been written. */
  #isInZeroSector(frame: number, word: number): boolean {
    const at = this.#offset(frame) + (word < 2 ? 4 * word : WAL_FRAME_HEADER_BYTES + 4 * (word - 2));
    const sector = at - (at % SECTOR_BYTES);
    return this.#bytes.subarray(Math.max(sector, this.#offset(frame)), sector + SECTOR_BYTES).every((byte) => byte === 0);
  }

  /**
   * Whether a right frame stands behind the end of the commit that a wrong frame is part of. Frames after the wrong one
   * are judged by the checksum stored in the frame before each; the wrong one's claim to end a commit counts when its
   * salt is right, since a sector that was never written has none.
   */
  #isFollowedByCommit(wrong: number): boolean {
    const head = this.head(wrong);
    let isCommitted = isSameSalt(head.salt, this.#header.salt) && head.pageCount !== 0;
    for (let frame = wrong + 1; frame < this.count; frame++) {
      if (!this.isRight(frame, this.head(frame - 1).checksum)) continue;
      if (isCommitted) return true;
      isCommitted = this.head(frame).pageCount !== 0;
    }
    return false;
  }
}
