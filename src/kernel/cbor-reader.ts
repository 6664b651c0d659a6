import { assert } from "./assert.ts";

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const EMPTY = new Uint8Array(0);

/**
 * Reads canonical CBOR (RFC 8949 section 4.2.1) along a schema, strictly: shortest integers, definite lengths, the
 * expected kind at each place, no bytes left over. A first violation is remembered and every later read returns an
 * empty value, so a decoder reads its whole shape straight through and asks `isComplete` once at the end. It never
 * throws and never allocates by a length that the input merely claims.
 */
export class CborReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = 0;
  }

  /** Offset of the next unread byte. */
  get offset(): number {
    return this.#at;
  }

  /** Whether something read so far was not what the schema asked for. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Whether all was as asked for and nothing is left over. */
  get isComplete(): boolean {
    return !this.#isBroken && this.#at === this.#bytes.length;
  }

  /** Whether unread bytes remain (false once broken, so loops end). */
  get hasMore(): boolean {
    return !this.#isBroken && this.#at < this.#bytes.length;
  }

  /** Declares the input malformed for a reason the caller sees (a range, a relation between fields). */
  reject(): void {
    this.#isBroken = true;
  }

  /** An unsigned integer up to 2^53 - 1. */
  uint(max: number = Number.MAX_SAFE_INTEGER): number {
    const value = this.#head(0);
    if (typeof value === "number" && value <= max) return value;
    this.#isBroken = true;
    return 0;
  }

  /** An unsigned integer of 64 bits. */
  uint64(): bigint {
    return BigInt(this.#head(0));
  }

  /** A byte string whose length lies in min..max; a view into the input, not a copy. */
  bytes(min: number, max: number = min): Uint8Array {
    const length = this.#head(2);
    if (this.#isBroken || length < min || length > max) return this.#broken(EMPTY);
    return this.#take(Number(length));
  }

  /** A text string of min..max bytes of valid UTF-8. */
  text(min: number, max: number): string {
    const length = this.#head(3);
    if (this.#isBroken || length < min || length > max) return this.#broken("");
    const encoded = this.#take(Number(length));
    if (this.#isBroken) return "";
    try {
      return STRICT_UTF8.decode(encoded);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // a TypeError is how TextDecoder reports invalid UTF-8
      return this.#broken("");
    }
  }

  /** The count in an array head, at most max. */
  array(max: number): number {
    return this.#count(4, max);
  }

  /** The count of pairs in a map head, at most max. */
  map(max: number): number {
    return this.#count(5, max);
  }

  /** Requires this tag on the item that follows. */
  tag(expected: number): void {
    if (this.#head(6) !== expected) this.#isBroken = true;
  }

  /** True or false. */
  bool(): boolean {
    const byte = this.#isBroken ? undefined : this.#bytes[this.#at];
    if (byte !== 0xf4 && byte !== 0xf5) return this.#broken(false);
    this.#at++;
    return byte === 0xf5;
  }

  /** Requires this unsigned integer, e.g. a map key. */
  key(expected: number): void {
    if (this.#head(0) !== expected) this.#isBroken = true;
  }

  /** Consumes this unsigned integer (below 24) when it is next, e.g. the key of an optional field; says whether it was. */
  optionalKey(expected: number): boolean {
    assert(expected < 24, "an optional key takes one byte");
    if (this.#isBroken || this.#bytes[this.#at] !== expected) return false;
    this.#at++;
    return true;
  }

  /** Requires exactly these bytes, e.g. a constant header. */
  exactly(expected: Uint8Array): void {
    const found = this.#take(expected.length);
    if (this.#isBroken) return;
    for (let i = 0; i < expected.length; i++) if (found[i] !== expected[i]) this.#isBroken = true;
  }

  #count(major: number, max: number): number {
    const count = this.#head(major);
    if (this.#isBroken || count > max) return this.#broken(0);
    return Number(count);
  }

  #take(length: number): Uint8Array {
    if (this.#isBroken || length > this.#bytes.length - this.#at) return this.#broken(EMPTY);
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  #broken<T>(empty: T): T {
    this.#isBroken = true;
    return empty;
  }

  #head(major: number): number | bigint {
    const left = this.#bytes.length - this.#at;
    if (this.#isBroken || left < 1) return this.#broken(0);
    const first = this.#bytes[this.#at] as number;
    if (first >> 5 !== major) return this.#broken(0);
    const info = first & 31;
    if (info < 24) {
      this.#at += 1;
      return info;
    }
    return this.#argument(info, left);
  }

  #argument(info: number, left: number): number | bigint {
    const start = this.#at + 1;
    const width = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0;
    if (width === 0 || left < 1 + width) return this.#broken(0);
    this.#at = start + width;
    if (width === 8) {
      const wide = this.#view.getBigUint64(start);
      if (wide <= 0xffffffffn) return this.#broken(0);
      return wide <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(wide) : wide;
    }
    const value = width === 1 ? (this.#bytes[start] as number) : width === 2 ? this.#view.getUint16(start) : this.#view.getUint32(start);
    const smallest = width === 1 ? 24 : width === 2 ? 0x100 : 0x10000;
    return value < smallest ? this.#broken(0) : value;
  }
}
