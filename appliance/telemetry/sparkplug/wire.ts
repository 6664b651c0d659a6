import { assert, utf8 } from "../../../src/kernel/index.ts";

/** Writes protocol-buffer fields: the few wire types that a Sparkplug payload needs. @see https://protobuf.dev/programming-guides/encoding */
export class ProtobufWriter {
  readonly #bytes: number[] = [];

  /** An unsigned integer (wire type 0). */
  varint(field: number, value: number | bigint): this {
    this.#number(BigInt(field) << 3n);
    this.#number(BigInt(value));
    return this;
  }

  /** True or false (wire type 0). */
  bool(field: number, value: boolean): this {
    return this.varint(field, value ? 1 : 0);
  }

  /** A 64-bit float (wire type 1). */
  double(field: number, value: number): this {
    this.#number((BigInt(field) << 3n) | 1n);
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#bytes.push(...bytes);
    return this;
  }

  /** A string in UTF-8 (wire type 2). */
  text(field: number, value: string): this {
    return this.bytes(field, utf8(value));
  }

  /** Bytes or an embedded message (wire type 2). */
  bytes(field: number, value: Uint8Array): this {
    this.#number((BigInt(field) << 3n) | 2n);
    this.#number(BigInt(value.length));
    for (const byte of value) this.#bytes.push(byte);
    return this;
  }

  /** What was written. */
  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  #number(value: bigint): void {
    assert(value >= 0n && value < 1n << 64n, "a varint is an unsigned 64-bit integer");
    let rest = value;
    while (rest >= 0x80n) {
      this.#bytes.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#bytes.push(Number(rest));
  }
}

/** A field as it stands on the wire: a number (varint, or the bits of a fixed one) or bytes. */
export type WireField = { readonly field: number; readonly wireType: 0 | 1 | 2 | 5; readonly number: bigint; readonly bytes: Uint8Array };

const NOTHING = new Uint8Array(0);

/** The fields of one message in order, or undefined when the bytes are no such message. Never throws. */
export function readFields(bytes: Uint8Array): readonly WireField[] | undefined {
  const fields: WireField[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint | undefined => {
    let value = 0n;
    for (let shift = 0n; shift < 70n && at < bytes.length; shift += 7n) {
      const byte = bytes[at++] as number;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value < 1n << 64n ? value : undefined;
    }
    return undefined;
  };
  while (at < bytes.length) {
    const key = varint();
    if (key === undefined || key >> 3n === 0n || key >> 3n > 0x1fff_ffffn) return undefined;
    const field = Number(key >> 3n);
    const wireType = Number(key & 7n);
    if (wireType === 0) {
      const number = varint();
      if (number === undefined) return undefined;
      fields.push({ field, wireType, number, bytes: NOTHING });
    } else if (wireType === 1 || wireType === 5) {
      const width = wireType === 1 ? 8 : 4;
      if (at + width > bytes.length) return undefined;
      const number = wireType === 1 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true));
      fields.push({ field, wireType, number, bytes: bytes.subarray(at, at + width) });
      at += width;
    } else if (wireType === 2) {
      const length = varint();
      if (length === undefined || length > BigInt(bytes.length - at)) return undefined;
      fields.push({ field, wireType, number: 0n, bytes: bytes.subarray(at, at + Number(length)) });
      at += Number(length);
    } else return undefined; // groups are not used any more
  }
  return fields;
}
