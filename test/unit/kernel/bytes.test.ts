import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  bytesEqual,
  compareBytes,
  concatBytes,
  InvariantViolation,
  parseHex,
  toHex,
  u32be,
  u64be,
  utf8,
} from "../../../src/kernel/index.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const anyBytes = fc.uint8Array({ maxLength: 40 });

describe("bytes: hexadecimal", () => {
  test("toHex: every byte value, two lower-case digits", () => {
    expect(toHex(bytes())).toBe("");
    expect(toHex(bytes(0, 1, 15, 16, 171, 255))).toBe("00010f10abff");
  });

  test("parseHex: either case, the bytes", () => {
    expect(parseHex("00aBfF")).toEqual(bytes(0, 171, 255));
    expect(parseHex("")).toEqual(bytes());
  });

  test.each(["0", "0x00", "0g", " 00", "00 ", "00\n", "-1", "٠٠", "００", "1e+1"])("parseHex: %j, undefined", (text) => {
    expect(parseHex(text)).toBeUndefined();
  });

  test("parseHex and toHex: any bytes, a round trip", () => {
    fc.assert(fc.property(anyBytes, (value) => expect(parseHex(toHex(value))).toEqual(value)));
  });

  test("parseHex and toHex: an engine without hex methods, the same", () => {
    const { toHex: native } = Uint8Array.prototype;
    const { fromHex } = Uint8Array;
    try {
      Reflect.deleteProperty(Uint8Array.prototype, "toHex");
      Reflect.deleteProperty(Uint8Array, "fromHex");
      fc.assert(fc.property(anyBytes, (value) => expect(toHex(value)).toBe(native.call(value))));
      fc.assert(fc.property(anyBytes, (value) => expect(parseHex(toHex(value))).toEqual(value)));
      expect(parseHex("0g")).toBeUndefined();
    } finally {
      Object.assign(Uint8Array.prototype, { toHex: native });
      Object.assign(Uint8Array, { fromHex });
    }
  });
});

describe("bytes: joining and comparing", () => {
  test("concatBytes: parts and views, one array of its own in order", () => {
    const source = bytes(1, 2, 3, 4);
    const joined = concatBytes(source.subarray(1, 3), bytes(), bytes(9));
    source[1] = 77;
    expect(joined).toEqual(bytes(2, 3, 9));
    expect(concatBytes()).toEqual(bytes());
  });

  test("bytesEqual: same content, true; other length or byte, false", () => {
    expect(bytesEqual(bytes(1, 2), bytes(0, 1, 2).subarray(1))).toBe(true);
    expect(bytesEqual(bytes(1, 2), bytes(1))).toBe(false);
    expect(bytesEqual(bytes(1, 2), bytes(1, 3))).toBe(false);
    expect(bytesEqual(bytes(), bytes())).toBe(true);
  });

  test("compareBytes: dictionary order, a prefix first", () => {
    const sorted = [bytes(), bytes(0), bytes(0, 0), bytes(0, 255), bytes(1), bytes(127), bytes(128), bytes(255), bytes(255, 0)];
    for (const [i, a] of sorted.entries())
      for (const [j, b] of sorted.entries()) expect(Math.sign(compareBytes(a, b))).toBe(Math.sign(i - j));
  });

  test("compareBytes: any bytes, agrees with Buffer.compare", () => {
    fc.assert(fc.property(anyBytes, anyBytes, (a, b) => Math.sign(compareBytes(a, b)) === Buffer.compare(a, b)));
  });

  test("utf8: beyond ASCII, the encoding of RFC 3629", () => {
    expect(utf8("aü水𐅑")).toEqual(bytes(0x61, 0xc3, 0xbc, 0xe6, 0xb0, 0xb4, 0xf0, 0x90, 0x85, 0x91));
  });
});

describe("bytes: fixed-width integers", () => {
  test("u64be: bounds, eight bytes big-endian", () => {
    expect(toHex(u64be(0))).toBe("0000000000000000");
    expect(toHex(u64be(0x0102030405))).toBe("0000000102030405");
    expect(toHex(u64be((1n << 64n) - 1n))).toBe("ffffffffffffffff");
    expect(toHex(u64be(Number.MAX_SAFE_INTEGER))).toBe("001fffffffffffff");
  });

  test.each([-1, -1n, 1n << 64n, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("u64be: %p, an invariant violation", (value) => {
    expect(() => u64be(value)).toThrow(InvariantViolation);
  });

  test("u32be: bounds, four bytes big-endian", () => {
    expect(toHex(u32be(0))).toBe("00000000");
    expect(toHex(u32be(2 ** 32 - 1))).toBe("ffffffff");
  });

  test.each([-1, 2 ** 32, 0.5, Number.NaN])("u32be: %p, an invariant violation", (value) => {
    expect(() => u32be(value)).toThrow(InvariantViolation);
  });
});
