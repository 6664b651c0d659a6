import { assert } from "../kernel/index.ts";
import { crc32 } from "./byte-error.ts";
import { FRAME_HEAD_BYTES, type FrameKind, type FramePlace, frameBytes, frameHash, HASH_BYTES, writeFrameHead } from "./log-format.ts";

/** Room kept between groups; a larger group's room is given back. */
const KEPT_BYTES = 1024 * 1024;

/**
 * Frames made but not yet written, side by side as they will lie on disk, after the hash that the first of them follows.
 * One write takes them all.
 */
export class FrameBuffer {
  #bytes = new Uint8Array(16 * 1024);
  #end = HASH_BYTES;

  /** @param tailHash the 32 bytes on disk before the next frame */
  constructor(tailHash: Uint8Array) {
    this.#bytes.set(tailHash);
  }

  /** Bytes that wait to be written. */
  get pendingBytes(): number {
    return this.#end - HASH_BYTES;
  }

  /** The bytes that wait to be written; valid until the next call. */
  get pending(): Uint8Array {
    return this.#bytes.subarray(HASH_BYTES, this.#end);
  }

  /** The hash that the next frame follows; a copy. */
  get tailHash(): Uint8Array {
    return this.#bytes.slice(this.#end - HASH_BYTES, this.#end);
  }

  /** Makes a frame at the end. */
  add(kind: FrameKind, body: Uint8Array, durable: number, place: FramePlace): void {
    const size = frameBytes(body.length);
    this.#reserve(size);
    const start = this.#end;
    this.#bytes.set(body, start + FRAME_HEAD_BYTES);
    writeFrameHead(
      this.#bytes.subarray(start, start + FRAME_HEAD_BYTES),
      { kind, length: body.length, durable, bodyCrc: crc32(body) },
      place,
    );
    const hashAt = start + FRAME_HEAD_BYTES + body.length;
    this.#bytes.set(frameHash(this.#bytes.subarray(start - HASH_BYTES, hashAt)), hashAt);
    this.#end = hashAt + HASH_BYTES;
    assert(this.#end === start + size, "a frame takes its head, its body and its hash");
  }

  /** Forgets the frames that were written; the next one follows them. */
  markWritten(): void {
    const tail = this.tailHash;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(16 * 1024);
    this.#bytes.set(tail);
    this.#end = HASH_BYTES;
  }

  /** Forgets what waits and begins anew after this hash, after a write that found no room. */
  restart(tailHash: Uint8Array): void {
    this.#bytes.set(tailHash);
    this.#end = HASH_BYTES;
  }

  #reserve(extraBytes: number): void {
    const needed = this.#end + extraBytes;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = grown;
  }
}
