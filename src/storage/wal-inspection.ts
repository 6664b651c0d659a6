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
 * - one changed word explains them, in a step that was committed: a torn write loses sectors, it does not change words.
 *   (A step too large for the cache writes pages early and again, and sums them up only when it commits.)
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
    const following = this.#rightFramesAfter(frame, before);
    const word = this.#wordOff(frame, before);
    const claims = this.#claimsCommit(frame, word === "salt");
    const commits = following.filter((right) => this.head(right).pageCount !== 0);
    const isCommitted = claims || commits.length > 0 || word === "pageCount";
    if (word !== undefined && isCommitted) return `frame ${frame} differs from what was written in a single place`;
    const end = claims ? frame : commits[0];
    const isFollowed = end !== undefined && following.some((right) => right > end);
    return syncsEachCommit && isFollowed ? `frame ${frame} is wrong, and a later commit follows it` : undefined;
  }

  #offset(frame: number): number {
    return walFrameOffset(this.#header.pageBytes, frame);
  }

  #checksumOf(frame: number, before: WalChecksum): WalChecksum {
    return walChecksum(walChecksum(before, this.#bytes.subarray(this.#offset(frame), this.#offset(frame) + 8)), this.page(frame));
  }

  /** The one word of a wrong frame whose change explains it, if there is one. */
  #wordOff(frame: number, before: WalChecksum): "salt" | "checksum" | "pageCount" | "other" | undefined {
    const head = this.head(frame);
    const computed = this.#checksumOf(frame, before);
    if (isSameChecksum(head.checksum, computed)) return "salt"; // which no checksum covers
    if (!isSameSalt(head.salt, this.#header.salt)) return undefined;
    if (head.checksum.first === computed.first || head.checksum.second === computed.second) return "checksum";
    if (this.#hasZeroSector(frame)) return undefined;
    const words = findWordErrors((8 + this.#header.pageBytes) / 4, head.checksum, computed);
    return words.includes(1) ? "pageCount" : words.length > 0 ? "other" : undefined;
  }

  /**
   * Whether a sector may never have been written: the part of the frame in it is all zeros. Then a wrong word proves
   * nothing: the sums of words are weak, and a lost sector of small numbers can look like one wrong word elsewhere.
   */
  #hasZeroSector(frame: number): boolean {
    const end = this.#offset(frame + 1);
    for (let from = this.#offset(frame); from < end; ) {
      const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES);
      if (this.#bytes.subarray(from, to).every((byte) => byte === 0)) return true;
      from = to;
    }
    return false;
  }

  /** Whether a wrong frame says that it ends a commit, and its salt is right (or all that is wrong), so its sector was written. */
  #claimsCommit(frame: number, isSaltAllThatIsWrong: boolean): boolean {
    const head = this.head(frame);
    return head.pageCount !== 0 && (isSaltAllThatIsWrong || isSameSalt(head.salt, this.#header.salt));
  }

  /** Frames after a wrong one that are right by the checksum stored before each; or, next to it, by the one it ought to have. */
  #rightFramesAfter(wrong: number, before: WalChecksum): readonly number[] {
    const right: number[] = [];
    for (let frame = wrong + 1; frame < this.count; frame++) {
      const isRight = this.isRight(frame, this.head(frame - 1).checksum);
      if (isRight || (frame === wrong + 1 && this.isRight(frame, this.#checksumOf(wrong, before)))) right.push(frame);
    }
    return right;
  }
}
