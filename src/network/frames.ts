import { assert, err, ok, type Result } from "../kernel/index.ts";

/** One message of a stream: what it is, and its bytes. */
export type Frame = { readonly kind: number; readonly payload: Uint8Array };

/** Why bytes are no frames: a length beyond the bound, of nothing, or not in its shortest form. */
export type FrameFault = "tooLarge" | "badLength";

/** Bytes of a length prefix: an unsigned varint of at most 28 bits, which is beyond every bound here. */
const LENGTH_BYTES_MAX = 4;
/** A body grows from this size to four times as its bytes come, so that a claimed length alone costs next to nothing. */
const FIRST_BODY_BYTES = 16 * 1024;
const BODY_GROWTH = 4;

/** The bytes of a frame: unsigned varint of what follows, one byte of kind, the payload. */
export function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  assert(Number.isInteger(kind) && kind >= 0 && kind < 256, "the kind of a frame is one byte");
  return withLength(Uint8Array.of(kind), payload);
}

/** A length-prefixed message without a kind, as libp2p's request and response protocols use it. */
export function encodeDelimited(payload: Uint8Array): Uint8Array {
  return withLength(payload);
}

function withLength(...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  assert(size > 0 && size < 2 ** 28, "a frame has a length that its prefix can say");
  const prefix: number[] = [];
  for (let rest = size; ; rest >>>= 7) {
    prefix.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80);
    if (rest < 0x80) break;
  }
  const bytes = new Uint8Array(prefix.length + size);
  bytes.set(prefix);
  let at = prefix.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Cuts a byte stream into length-prefixed bodies, however it is split. A fault is final: nothing after it can be trusted
 * to begin at a boundary. Bodies are copies, so that a small one kept for long does not hold a large buffer.
 */
export class BodyReader {
  readonly #bytesMax: number;
  #length = 0;
  #lengthBytes = 0;
  #body: Uint8Array | undefined;
  #filled = 0;
  #fault: FrameFault | undefined;

  /** @param bytesMax longest body that is read */
  constructor(bytesMax: number) {
    assert(bytesMax > 0 && bytesMax < 2 ** 28, "a bound that a length prefix can say");
    this.#bytesMax = bytesMax;
  }

  /** Bytes of a body that has begun and is not complete. */
  get pendingBytes(): number {
    return this.#filled;
  }

  /** Takes the next bytes and returns the bodies they complete, in order. Errors: FrameFault, the same for ever after. */
  push(chunk: Uint8Array): Result<Uint8Array[], FrameFault> {
    const bodies: Uint8Array[] = [];
    for (let at = 0; at < chunk.length && this.#fault === undefined; ) {
      if (this.#body === undefined) {
        this.#takeLengthByte(chunk[at++] as number);
        continue;
      }
      const taken = Math.min(this.#length - this.#filled, chunk.length - at);
      this.#append(this.#body, chunk.subarray(at, at + taken));
      at += taken;
      if (this.#filled === this.#length) bodies.push(this.#finish());
    }
    return this.#fault === undefined ? ok(bodies) : err(this.#fault);
  }

  #takeLengthByte(byte: number): void {
    this.#length += (byte & 0x7f) * 2 ** (7 * this.#lengthBytes++);
    if (byte >= 0x80) {
      if (this.#lengthBytes === LENGTH_BYTES_MAX) this.#fault = "tooLarge";
      return;
    }
    if (this.#length === 0 || (byte === 0 && this.#lengthBytes > 1)) this.#fault = "badLength";
    else if (this.#length > this.#bytesMax) this.#fault = "tooLarge";
    else this.#body = new Uint8Array(Math.min(this.#length, FIRST_BODY_BYTES));
  }

  #append(body: Uint8Array, part: Uint8Array): void {
    const needed = this.#filled + part.length;
    let room = body;
    if (needed > body.length) {
      room = new Uint8Array(Math.min(this.#length, Math.max(needed, BODY_GROWTH * body.length)));
      room.set(body.subarray(0, this.#filled));
      this.#body = room;
    }
    room.set(part, this.#filled);
    this.#filled = needed;
  }

  #finish(): Uint8Array {
    const body = this.#body;
    assert(body !== undefined && body.length === this.#length, "a complete body fills its buffer");
    this.#body = undefined;
    this.#length = 0;
    this.#lengthBytes = 0;
    this.#filled = 0;
    return body;
  }
}

/** The frame in a body: its first byte is the kind. */
export function frameOf(body: Uint8Array): Frame {
  assert(body.length > 0, "a body that was read is not empty");
  return { kind: body[0] as number, payload: body.subarray(1) };
}
