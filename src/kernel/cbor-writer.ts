import { assert } from "./assert.ts";
import { utf8 } from "./bytes.ts";

/**
 * Writes the one canonical CBOR encoding (RFC 8949 section 4.2.1): shortest integers, definite lengths. Map keys are
 * written by the caller in ascending order; the strict reader refuses any other order, so a round trip proves it.
 */
export class CborWriter {
  #buffer: Uint8Array;
  #size = 0;

  constructor(capacityBytes = 256) {
    this.#buffer = new Uint8Array(capacityBytes);
  }

  /** An unsigned integer of at most 64 bits (major type 0). */
  uint(value: number | bigint): this {
    return this.#head(0, value);
  }

  /** A negative integer -1 - n of at most 64 bits (major type 1), or an unsigned one. */
  int(value: number): this {
    return value >= 0 ? this.#head(0, value) : this.#head(1, -1 - value);
  }

  /** A byte string (major type 2). */
  bytes(value: Uint8Array): this {
    this.#head(2, value.length);
    return this.raw(value);
  }

  /** A text string in UTF-8 (major type 3). A lone surrogate becomes U+FFFD; who must tell the two apart checks before. */
  text(value: string): this {
    const encoded = utf8(value);
    this.#head(3, encoded.length);
    return this.raw(encoded);
  }

  /** The head of an array of `count` items (major type 4). */
  array(count: number): this {
    return this.#head(4, count);
  }

  /** The head of a map of `count` pairs (major type 5). */
  map(count: number): this {
    return this.#head(5, count);
  }

  /** A tag (major type 6) on the item written next. */
  tag(value: number): this {
    return this.#head(6, value);
  }

  /** True or false (simple values 21 and 20). */
  bool(value: boolean): this {
    return this.#head(7, value ? 21 : 20);
  }

  /** Bytes that already are canonical CBOR (or the content of a string whose head was written). */
  raw(encoded: Uint8Array): this {
    this.#reserve(encoded.length);
    this.#buffer.set(encoded, this.#size);
    this.#size += encoded.length;
    return this;
  }

  /** What was written so far, as a copy of its own. */
  finish(): Uint8Array {
    return this.#buffer.slice(0, this.#size);
  }

  #head(major: number, argument: number | bigint): this {
    assert(
      argument >= 0 && (typeof argument === "bigint" || Number.isSafeInteger(argument)),
      "a CBOR argument is a whole number from 0 up",
    );
    this.#reserve(9);
    const type = major << 5;
    if (argument < 24) this.#buffer[this.#size++] = type | Number(argument);
    else if (argument < 0x100) {
      this.#buffer[this.#size++] = type | 24;
      this.#buffer[this.#size++] = Number(argument);
    } else if (argument < 0x10000) {
      this.#buffer[this.#size++] = type | 25;
      this.#bigEndian(2, Number(argument));
    } else if (argument < 0x100000000) {
      this.#buffer[this.#size++] = type | 26;
      this.#bigEndian(4, Number(argument));
    } else this.#wideHead(type, argument);
    return this;
  }

  #wideHead(type: number, argument: number | bigint): void {
    const wide = BigInt(argument);
    assert(wide < 1n << 64n, "a CBOR argument fits 64 bits");
    this.#buffer[this.#size++] = type | 27;
    this.#bigEndian(4, Number(wide >> 32n));
    this.#bigEndian(4, Number(wide & 0xffffffffn));
  }

  /**
   * Byte by byte: a DataView would move the small buffer out of the garbage collector's own memory, which costs as much
   * as the whole of a short encoding.
   */
  #bigEndian(width: number, value: number): void {
    for (let shift = 8 * (width - 1); shift >= 0; shift -= 8) this.#buffer[this.#size++] = value >>> shift;
  }

  #reserve(extraBytes: number): void {
    const needed = this.#size + extraBytes;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(needed, 2 * this.#buffer.length));
    grown.set(this.#buffer.subarray(0, this.#size));
    this.#buffer = grown;
  }
}
