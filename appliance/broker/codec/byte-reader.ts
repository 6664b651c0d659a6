const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING = new Uint8Array(0);

/**
 * Reads MQTT's data types from one packet's bytes. The first thing that is not as the specification has it breaks the reader:
 * everything after reads as empty, and the caller asks `isBroken` once at the end.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #end: number;
  #isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Whether anything read so far was malformed or missing. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Bytes left. */
  get remaining(): number {
    return this.#isBroken ? 0 : this.#end - this.#at;
  }

  /** Declares what was read malformed. */
  break(): void {
    this.#isBroken = true;
  }

  u8(): number {
    const at = this.#advance(1);
    return at < 0 ? 0 : (this.#bytes[at] ?? 0);
  }

  u16(): number {
    const at = this.#advance(2);
    return at < 0 ? 0 : ((this.#bytes[at] ?? 0) << 8) | (this.#bytes[at + 1] ?? 0);
  }

  u32(): number {
    return this.u16() * 65_536 + this.u16();
  }

  /** A variable byte integer of at most four bytes, in as few as possible. @see MQTT-1.5.5-1 */
  variableInteger(): number {
    let value = 0;
    for (let count = 0, scale = 1; count < 4; count++, scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte >= 128) continue;
      if (byte === 0 && count > 0) this.break();
      return this.#isBroken ? 0 : value;
    }
    this.break();
    return 0;
  }

  /** A string: well-formed UTF-8 without U+0000. A byte order mark is a character like others. @see MQTT-1.5.4-1, -2, -3 */
  text(): string {
    const bytes = this.binary();
    if (this.#isBroken || bytes.length === 0) return "";
    try {
      const text = UTF8.decode(bytes);
      if (!text.includes("\0")) return text;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what the decoder throws for ill-formed bytes
    }
    this.break();
    return "";
  }

  /** Bytes after their two-byte length: a view. */
  binary(): Uint8Array {
    const length = this.u16();
    const at = this.#advance(length);
    return at < 0 ? NOTHING : this.#bytes.subarray(at, at + length);
  }

  /** Everything left: a view. */
  rest(): Uint8Array {
    const length = this.remaining;
    const at = this.#advance(length);
    return at < 0 ? NOTHING : this.#bytes.subarray(at, at + length);
  }

  /** Reads a part of this many bytes with `read`, which must use it up exactly. */
  within(length: number, read: () => void): void {
    if (length > this.remaining) {
      this.break();
      return;
    }
    const outerEnd = this.#end;
    this.#end = this.#at + length;
    read();
    if (this.#at !== this.#end) this.break();
    this.#end = outerEnd;
  }

  #advance(count: number): number {
    if (this.#isBroken || this.#at + count > this.#end) {
      this.#isBroken = true;
      return -1;
    }
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
