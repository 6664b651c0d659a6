import { assert } from "../kernel/index.ts";
import type { OpenFile } from "./file-system.ts";
import { FrameBuffer } from "./frame-buffer.ts";
import { type FrameKind, frameBytes } from "./log-format.ts";
import { isStorageError } from "./storage-error.ts";

/** An end of a segment: all before it is made, written or durable. */
export interface SegmentEnd {
  readonly offset: number;
  /** Records of the whole log before it. */
  readonly index: number;
  /** The 32 bytes before it. */
  readonly tailHash: Uint8Array;
}

/** What a writer starts from. */
export interface SegmentStart {
  readonly file: OpenFile;
  /** Length of the file; more than the end when it is laid out ahead. */
  readonly fileBytes: number;
  readonly logId: Uint8Array;
  readonly number: number;
  /** Everything before it is durable. */
  readonly end: SegmentEnd;
  /** Zeros to lay out ahead, in bytes; 0 for none. */
  readonly preallocateBytes: number;
  /** Nothing is laid out beyond this size. */
  readonly sizeBytesMax: number;
}

const NOTHING = new Uint8Array(0);

/** Bytes of a group, on average, above which laying out ahead costs more than it saves: each byte is then written twice. */
const LAID_OUT_GROUP_BYTES_MAX = 8 * 1024;

/**
 * The last segment of a log: frames are made in memory, written in one piece, made durable by a sync.
 *
 * Made >= written >= durable, always. A write that finds no room takes the segment back to where a sync has reached or is
 * about to; every other failure leaves the writer unusable, and its owner must stop using it.
 */
export class SegmentWriter {
  readonly number: number;
  readonly #start: SegmentStart;
  readonly #file: OpenFile;
  readonly #buffer: FrameBuffer;
  #fileBytes: number;
  /** Moving average of the bytes that share a sync. */
  #groupBytes = 0;
  #offset: number;
  #index: number;
  #written: SegmentEnd;
  #durable: SegmentEnd;
  /** What the running asynchronous sync will make durable. */
  #flying: SegmentEnd | undefined;
  /** End of the last frame that a sync must reach: of all but marks. */
  #neededTo: number;

  constructor(start: SegmentStart) {
    this.number = start.number;
    this.#start = start;
    this.#file = start.file;
    this.#buffer = new FrameBuffer(start.end.tailHash);
    this.#fileBytes = start.fileBytes;
    this.#offset = start.end.offset;
    this.#index = start.end.index;
    this.#written = start.end;
    this.#durable = start.end;
    this.#neededTo = start.end.offset;
  }

  /** Index that the next record gets. */
  get nextIndex(): number {
    return this.#index;
  }

  /** Offset that the next frame gets. */
  get nextOffset(): number {
    return this.#offset;
  }

  /** How far the file holds what was made. */
  get written(): SegmentEnd {
    return this.#written;
  }

  /** How far the file is durable. */
  get durable(): SegmentEnd {
    return this.#durable;
  }

  /** Whether something but a mark waits for a sync. */
  get needsSync(): boolean {
    return this.#durable.offset < this.#neededTo;
  }

  /** What a sync has reached or is about to reach. */
  get #promised(): SegmentEnd {
    return this.#flying !== undefined && this.#flying.offset > this.#durable.offset ? this.#flying : this.#durable;
  }

  /** Makes a frame; it waits in memory. */
  add(kind: FrameKind, body: Uint8Array): void {
    this.#buffer.add(kind, body, this.#durable.offset, { logId: this.#start.logId, segment: this.number, offset: this.#offset });
    this.#offset += frameBytes(body.length);
    if (kind === "record") this.#index++;
    if (kind !== "mark") this.#neededTo = this.#offset;
    assert(this.#offset - this.#buffer.pendingBytes === this.#written.offset, "what is written and what waits make up the segment");
  }

  /** Writes what waits. @throws StorageError `diskFull`: what no sync has reached or is about to reach is gone */
  write(): void {
    if (this.#buffer.pendingBytes === 0) return;
    try {
      this.#file.write(this.#written.offset, this.#buffer.pending);
    } catch (error) {
      if (isStorageError(error, "diskFull")) {
        this.#goBackTo(this.#promised);
        this.#file.sync(); // else a crash could bring back records that their owner was told are gone
      }
      throw error;
    }
    if (this.needsSync) this.#groupBytes += (this.#buffer.pendingBytes - this.#groupBytes) / 8;
    this.#buffer.markWritten();
    this.#written = { offset: this.#offset, index: this.#index, tailHash: this.#buffer.tailHash };
    this.#fileBytes = Math.max(this.#fileBytes, this.#offset);
    this.#layOutAhead();
  }

  /** Makes what is written durable. */
  sync(): void {
    const end = this.#written;
    try {
      this.#file.sync();
    } catch (error) {
      this.#forgetUnsynced();
      throw error;
    }
    this.#onDurable(end);
  }

  /** As `sync`, off this thread; one at a time. */
  async syncAsync(): Promise<void> {
    assert(this.#flying === undefined, "one asynchronous sync runs at a time");
    const end = this.#written;
    this.#flying = end;
    try {
      await this.#file.syncAsync();
    } catch (error) {
      this.#forgetUnsynced();
      throw error;
    } finally {
      this.#flying = undefined;
    }
    this.#onDurable(end);
  }

  /**
   * Notes behind what was just synced that it was; no sync follows. From then on damage before the mark cannot pass for a
   * torn write. Nothing happens while other frames wait (they will say the same) or when there is no room.
   */
  mark(): void {
    if (this.#offset !== this.#durable.offset) return;
    this.add("mark", NOTHING);
    try {
      this.write();
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error; // nothing but the mark is lost
    }
  }

  /** Ends the file where the frames end, durably. All frames are written. */
  finish(): void {
    assert(this.#buffer.pendingBytes === 0, "all frames of a segment are written before it ends");
    if (this.#fileBytes > this.#offset) this.#file.truncate(this.#offset);
    this.#fileBytes = this.#offset;
    this.sync();
  }

  /** Reads what was written. */
  read(position: number, target: Uint8Array): number {
    return this.#file.read(position, target);
  }

  /** Lets go of the file, after the asynchronous sync that may be running. */
  close(running: Promise<void> | undefined): void {
    if (running === undefined) this.#file.close();
    else
      running.then(
        () => this.#file.close(),
        () => this.#file.close(), // its failure is reported to those who wait for it
      );
  }

  /**
   * After a failed sync the next process could still read, from memory, what the disk will never hold: take it away from
   * under its eyes. Should even that fail, the first failure is the one that counts.
   */
  #forgetUnsynced(): void {
    try {
      this.#goBackTo(this.#durable);
    } catch (error) {
      if (!isStorageError(error)) throw error; // the disk refused this too
    }
  }

  #goBackTo(kept: SegmentEnd): void {
    this.#file.truncate(kept.offset);
    this.#fileBytes = kept.offset;
    this.#offset = kept.offset;
    this.#index = kept.index;
    this.#neededTo = kept.offset;
    this.#written = kept;
    this.#buffer.restart(kept.tailHash);
  }

  #layOutAhead(): void {
    if (this.#fileBytes > this.#offset || this.#groupBytes > LAID_OUT_GROUP_BYTES_MAX) return;
    const end = Math.min(this.#offset + this.#start.preallocateBytes, this.#start.sizeBytesMax);
    if (end <= this.#offset) return;
    try {
      this.#file.write(this.#offset, new Uint8Array(end - this.#offset));
      this.#fileBytes = end;
    } catch (error) {
      if (!isStorageError(error, "diskFull")) throw error;
      this.#file.truncate(this.#offset); // there is no room to lay out ahead: no failure
    }
  }

  #onDurable(end: SegmentEnd): void {
    assert(end.offset <= this.#written.offset, "only what is written becomes durable");
    if (end.offset > this.#durable.offset) this.#durable = end;
  }
}
