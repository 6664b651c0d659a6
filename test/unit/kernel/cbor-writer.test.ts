import { describe, expect, test } from "bun:test";
import { CborWriter, InvariantViolation, toHex } from "../../../src/kernel/index.ts";

const hexOf = (write: (writer: CborWriter) => CborWriter): string => toHex(write(new CborWriter()).finish());

describe("cbor writer", () => {
  test.each([
    [0, "00"],
    [23, "17"],
    [24, "1818"],
    [0xff, "18ff"],
    [0x100, "190100"],
    [0xffff, "19ffff"],
    [0x10000, "1a00010000"],
    [0xffffffff, "1affffffff"],
    [0x100000000, "1b0000000100000000"],
    [Number.MAX_SAFE_INTEGER, "1b001fffffffffffff"],
  ])("writer: %p as number and as bigint, the shortest head %s", (value, hex) => {
    expect(hexOf((w) => w.uint(value))).toBe(hex);
    expect(hexOf((w) => w.uint(BigInt(value)))).toBe(hex);
  });

  test("writer: the largest u64, eight bytes of argument", () => {
    expect(hexOf((w) => w.uint((1n << 64n) - 1n))).toBe("1bffffffffffffffff");
  });

  test.each([
    [-1, "20"],
    [-24, "37"],
    [-25, "3818"],
    [-256, "38ff"],
    [-257, "390100"],
    [5, "05"],
    [Number.MIN_SAFE_INTEGER, "3b001ffffffffffffe"],
  ])("writer: int %p, %s", (value, hex) => {
    expect(hexOf((w) => w.int(value))).toBe(hex);
  });

  test.each([-1, -1n, 1.5, 23.5, 300.5, 70_000.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 1n << 64n])(
    "writer: uint %p, an invariant violation",
    (value) => {
      expect(() => new CborWriter().uint(value)).toThrow(InvariantViolation);
    },
  );

  test.each([-0.5, -1.5, Number.NaN, Number.NEGATIVE_INFINITY, -(2 ** 54)])("writer: int %p, an invariant violation", (value) => {
    expect(() => new CborWriter().int(value)).toThrow(InvariantViolation);
  });

  test.each([-1, 0.5, Number.NaN])("writer: a count or tag of %p, an invariant violation", (count) => {
    expect(() => new CborWriter().array(count)).toThrow(InvariantViolation);
    expect(() => new CborWriter().map(count)).toThrow(InvariantViolation);
    expect(() => new CborWriter().tag(count)).toThrow(InvariantViolation);
  });

  test("writer: strings, the count of bytes and not of characters in the head", () => {
    expect(hexOf((w) => w.text("ü水"))).toBe("65c3bce6b0b4");
    expect(hexOf((w) => w.bytes(new Uint8Array(24)))).toBe(`5818${"00".repeat(24)}`);
    expect(hexOf((w) => w.text(""))).toBe("60");
  });

  test("writer: containers, tags, booleans and raw bytes, in the order written", () => {
    expect(hexOf((w) => w.tag(18).array(2).map(1).uint(1).bool(true).raw(Uint8Array.of(0xf4)))).toBe("d282a101f5f4");
    expect(hexOf((w) => w.tag(1000).uint(0))).toBe("d903e800");
  });

  test("writer: more than the capacity it was given, grows without losing a byte", () => {
    const content = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff);
    const writer = new CborWriter(0).array(2).bytes(content).bytes(content);
    expect(writer.finish()).toEqual(Uint8Array.from([0x82, 0x59, 0x03, 0xe8, ...content, 0x59, 0x03, 0xe8, ...content]));
  });

  test("writer: finish, a copy that later writes leave alone", () => {
    const writer = new CborWriter();
    const first = writer.uint(1).finish();
    writer.uint(2);
    expect(toHex(first)).toBe("01");
    expect(toHex(writer.finish())).toBe("0102");
  });
});
