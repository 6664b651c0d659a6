import { crc32 } from "./byte-error.ts";
import {
  decodeWalFrameHeader,
  decodeWalHeader,
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
  /** Bytes of this life of the log behind the last commit: of a step that never committed, or un-synced and torn by a crash. */
  readonly droppedBytes: number;
  /**
   * Whether a frame that an earlier life of the log left behind, and the present one has not written over, is not what it
   * was at the last checkpoint: torn by a power cut, or changed at rest. Nobody needs it.
   */
  readonly hasChangedLeftovers: boolean;
}

/** What a write-ahead log is found to be. `empty` also when there is no file. */
export type WalVerdict =
  | { readonly kind: "empty" }
  | SoundWal
  | { readonly kind: "damaged"; readonly offset: number; readonly detail: string };

/** What else is known of a log. */
export interface WalKnowledge {
  /** How far it was committed. */
  readonly mark?: WalMark | undefined;
  /** Whether every commit was synced before the next one was written. */
  readonly syncsEachCommit: boolean;
  /** Of each frame in the file at the last checkpoint, in order: its sum, see `walFrameSums`. Default none. */
  readonly leftoverSums?: Uint32Array;
}

/**
 * Judges a write-ahead log before SQLite sees it: SQLite takes the commits before the first wrong frame and forgets the
 * rest without a word.
 *
 * Wrong bytes are a torn end only when nothing says that they were ever durable. They are damage when
 * - the mark says that more was committed;
 * - a frame is right but for its salt, which no checksum covers;
 * - commits reach the disk one by one (`syncsEachCommit`), and a right frame follows the end of the commit they stand in.
 *
 * @see https://www.sqlite.org/fileformat2.html#the_write_ahead_log
 */
export function inspectWal(bytes: Uint8Array, { mark, syncsEachCommit, leftoverSums }: WalKnowledge): WalVerdict {
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
  const objection = frame < frames.count ? frames.objectionTo(frame, checksum, syncsEachCommit) : undefined;
  if (objection !== undefined) return { kind: "damaged", offset, detail: objection };
  for (const [page] of pages) if (page > committed.pageCount) pages.delete(page);
  const lifeEnd = frames.endOfLife(frame);
  const droppedBytes = frames.endOffset(lifeEnd) - walFrameOffset(header.pageBytes, committed.frameCount);
  const hasChangedLeftovers = frames.hasChanged(lifeEnd, leftoverSums ?? new Uint32Array(0));
  return { kind: "sound", header, pages, droppedBytes, hasChangedLeftovers, ...committed };
}

/** Without a right header: nothing was ever committed, or the header is damaged. It is synced before the first frame. */
function judgeHeaderless(bytes: Uint8Array, mark: WalMark | undefined): WalVerdict {
  if (mark !== undefined && mark.frameCount > 0)
    return { kind: "damaged", offset: 0, detail: `${mark.frameCount} committed frames are gone` };
  if (bytes.length <= WAL_HEADER_BYTES) return { kind: "empty" };
  return { kind: "damaged", offset: 0, detail: "the header of the write-ahead log is not what was written" };
}

/** Sums of the whole frames of a log's file, to prove later what the next life of the log leaves of them: CRC-32 of each. */
export function walFrameSums(bytes: Uint8Array, pageBytes: number): Uint32Array {
  const frameBytes = WAL_FRAME_HEADER_BYTES + pageBytes;
  const count = Math.max(0, Math.floor((bytes.length - WAL_HEADER_BYTES) / frameBytes));
  return Uint32Array.from({ length: count }, (_, frame) => {
    const start = walFrameOffset(pageBytes, frame);
    return crc32(bytes.subarray(start, start + frameBytes));
  });
}

/** The frames of a log by number, from 0: those of its present life, then leftovers of earlier ones. */
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

  /** Whether the frame is of the present life of the log and carries this checksum on. */
  isRight(frame: number, before: WalChecksum): boolean {
    return this.head(frame).page !== 0 && this.#isPresent(frame) && this.#continues(frame, before);
  }

  /** Why a wrong frame cannot be a torn write; undefined when it can. */
  objectionTo(frame: number, before: WalChecksum, syncsEachCommit: boolean): string | undefined {
    if (this.#continues(frame, before)) return `frame ${frame} differs from what was written in its salt`;
    if (!syncsEachCommit) return undefined;
    // Frames of a step that was rolled back may lie behind a commit: only one that carries its checksum on comes after it.
    for (let end = frame; end + 1 < this.count; end++) {
      const isEnd = this.#isPresent(end) && this.head(end).pageCount !== 0;
      if (!isEnd || (end > frame && !this.#isRightAfter(end, frame, before))) continue;
      if (this.#isRightAfter(end + 1, frame, before)) return `frame ${frame} is wrong, and a later commit follows it`;
    }
    return undefined;
  }

  /** The number after the last frame of the present life, given one that all before are of. */
  endOfLife(frame: number): number {
    let end = this.count;
    while (end > frame && !this.#isPresent(end - 1)) end--;
    return end;
  }

  /** The offset after this many frames; with the cut-off frame at the end of the file when they are all. */
  endOffset(frameCount: number): number {
    return frameCount === this.count ? this.#bytes.length : this.#offset(frameCount);
  }

  /** Whether a frame from this one on has another sum than it had. */
  hasChanged(first: number, sums: Uint32Array): boolean {
    for (let frame = first; frame < this.count; frame++) {
      if (sums[frame] !== crc32(this.#bytes.subarray(this.#offset(frame), this.#offset(frame + 1)))) return true;
    }
    return false;
  }

  /**
   * Whether a frame behind a wrong one is right by the checksum stored before it; next to the wrong one, also by the
   * checksum that one ought to have.
   */
  #isRightAfter(frame: number, wrong: number, before: WalChecksum): boolean {
    if (this.isRight(frame, this.head(frame - 1).checksum)) return true;
    return frame === wrong + 1 && this.isRight(frame, this.#checksumOf(wrong, before));
  }

  #offset(frame: number): number {
    return walFrameOffset(this.#header.pageBytes, frame);
  }

  #isPresent(frame: number): boolean {
    return isSameSalt(this.head(frame).salt, this.#header.salt);
  }

  /** Whether the frame carries this checksum on, whatever its salt. */
  #continues(frame: number, before: WalChecksum): boolean {
    return isSameChecksum(this.head(frame).checksum, this.#checksumOf(frame, before));
  }

  #checksumOf(frame: number, before: WalChecksum): WalChecksum {
    return walChecksum(walChecksum(before, this.#bytes.subarray(this.#offset(frame), this.#offset(frame) + 8)), this.page(frame));
  }
}
