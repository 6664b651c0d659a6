import { assert, err, ok, type Result } from "../../../src/kernel/index.ts";

/** One control packet as bytes: the first byte's two halves, and everything after the fixed header. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  /** A view of what was received: valid until the next call, copied by who keeps it. */
  readonly body: Uint8Array;
  /** Whether its length was written in as few bytes as possible. @see MQTT-1.5.5-1 */
  readonly isLengthMinimal: boolean;
}

/** Why bytes are not a frame: a length of more than four bytes, or one above the bound. */
export type FrameFault = "lengthMalformed" | "packetTooLarge";

const LENGTH_BYTES_MAX = 4;
const NOTHING = new Uint8Array(0);

/**
 * Cuts a byte stream into control packets. A packet above the bound is refused from its header alone, so what is held is at
 * most the bound, plus one chunk; a buffer grows with what has come, never with what a header promises.
 */
export class FrameSplitter {
  #packetBytesMax: number;
  #buffer: Uint8Array = NOTHING;
  #start = 0;
  #end = 0;

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = packetBytesMax;
  }

  /** Bytes received and not yet given out. */
  get heldBytes(): number {
    return this.#end - this.#start;
  }

  /** Sets the bound for the packets to come, header included. */
  bound(packetBytesMax: number): void {
    this.#packetBytesMax = packetBytesMax;
  }

  /** Adds received bytes; the array is kept when nothing else is held. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    if (this.heldBytes === 0) {
      this.#buffer = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      return;
    }
    const needed = this.heldBytes + chunk.length;
    if (this.#end + chunk.length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(2 * needed, this.#packetBytesMax)));
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
      this.#end -= this.#start;
      this.#start = 0;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** The next whole packet; undefined when more bytes must come first. After a fault the stream is lost: there is no next. */
  next(): Result<Frame, FrameFault> | undefined {
    if (this.heldBytes === 0) this.clear(); // lets go of the last chunk
    let length = 0;
    let at = this.#start + 1;
    for (let scale = 1; ; scale *= 128) {
      if (at >= this.#end) return undefined;
      const byte = this.#buffer[at++] ?? 0;
      length += (byte & 127) * scale;
      if (byte < 128) break;
      if (at - this.#start - 1 >= LENGTH_BYTES_MAX) return err("lengthMalformed");
    }
    const headerBytes = at - this.#start;
    if (headerBytes + length > this.#packetBytesMax) return err("packetTooLarge");
    if (at + length > this.#end) return undefined;
    const first = this.#buffer[this.#start] ?? 0;
    const isLengthMinimal = headerBytes === 2 || length >= 128 ** (headerBytes - 2);
    const body = this.#buffer.subarray(at, at + length);
    this.#start = at + length;
    assert(this.#start <= this.#end, "a frame ends within what was received");
    return ok({ type: first >> 4, flags: first & 15, body, isLengthMinimal });
  }

  /** Forgets everything held. */
  clear(): void {
    this.#buffer = NOTHING;
    this.#start = 0;
    this.#end = 0;
  }
}
