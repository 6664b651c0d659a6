import { describe, expect, test } from "bun:test";
import { CborReader, InvariantViolation, parseHex, present } from "../../../src/kernel/index.ts";

const reader = (hex: string): CborReader => new CborReader(present(parseHex(hex), "test hex is hex"));

/** Reads with one question and says whether that was all of the input, and what came back. */
function ask<T>(hex: string, question: (r: CborReader) => T): { value: T; isComplete: boolean } {
  const r = reader(hex);
  const value = question(r);
  return { value, isComplete: r.isComplete };
}

describe("cbor reader: integers", () => {
  test.each([
    ["00", 0n],
    ["17", 23n],
    ["1818", 24n],
    ["18ff", 255n],
    ["190100", 256n],
    ["1a00010000", 65536n],
    ["1b0000000100000000", 1n << 32n],
    ["1b001fffffffffffff", BigInt(Number.MAX_SAFE_INTEGER)],
    ["1b0020000000000000", 1n << 53n],
    ["1bffffffffffffffff", (1n << 64n) - 1n],
  ])("uint64: %s, %p", (hex, value) => {
    expect(ask(hex, (r) => r.uint64())).toEqual({ value, isComplete: true });
  });

  test.each(["1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000", "1b00000000ffffffff"])(
    "uint: %s is longer than it needs to be, refused",
    (hex) => {
      expect(ask(hex, (r) => r.uint64()).isComplete).toBe(false);
      expect(ask(hex, (r) => r.uint())).toEqual({ value: 0, isComplete: false });
    },
  );

  test("uint: the largest safe integer taken, one more refused", () => {
    expect(ask("1b001fffffffffffff", (r) => r.uint())).toEqual({ value: Number.MAX_SAFE_INTEGER, isComplete: true });
    expect(ask("1b0020000000000000", (r) => r.uint())).toEqual({ value: 0, isComplete: false });
  });

  test("uint: at its bound taken, above refused", () => {
    expect(ask("1864", (r) => r.uint(100)).isComplete).toBe(true);
    expect(ask("1865", (r) => r.uint(100)).isComplete).toBe(false);
  });

  test.each(["", "18", "19", "1901", "1a010000", "1b01000000000000"])("uint: %j is cut off, refused", (hex) => {
    expect(ask(hex, (r) => r.uint64())).toEqual({ value: 0n, isComplete: false });
  });

  test.each(["1c", "1d", "1e", "1f", "1c00", "1f00"])("uint: %s uses a reserved or indefinite length, refused", (hex) => {
    expect(ask(hex, (r) => r.uint64()).isComplete).toBe(false);
  });
});

describe("cbor reader: strings", () => {
  test("bytes: lengths at both bounds taken, outside refused", () => {
    const read = (hex: string) => ask(hex, (r) => r.bytes(1, 2)).isComplete;
    expect(["40", "4101", "420102", "43010203"].map(read)).toEqual([false, true, true, false]);
    expect(ask("4101", (r) => r.bytes(1)).value).toEqual(Uint8Array.of(1));
  });

  test("bytes: a view into the input, no copy", () => {
    const input = Uint8Array.of(0x42, 7, 8);
    const content = new CborReader(input).bytes(2);
    input[1] = 9;
    expect(content[0]).toBe(9);
  });

  test("bytes: input that is itself a view at an offset, read from its own start", () => {
    const whole = Uint8Array.of(0xff, 0x19, 0x01, 0x00, 0x41, 0x05, 0xff);
    const r = new CborReader(whole.subarray(1, 6));
    expect([r.uint(), r.bytes(1)[0], r.isComplete]).toEqual([256, 5, true]);
  });

  test.each(["5bffffffffffffffff", "5b0020000000000000", "5affffffff", "59ffff00", "41"])(
    "bytes: %s claims more than there is, refused without an allocation",
    (hex) => {
      expect(ask(hex, (r) => r.bytes(0, Number.MAX_SAFE_INTEGER))).toEqual({ value: new Uint8Array(0), isComplete: false });
    },
  );

  test("bytes: as many as the whole input but more than are left, refused", () => {
    const read = (r: CborReader) => [r.bytes(2).length, r.bytes(0, 9).length];
    expect(ask("4201024301", read)).toEqual({ value: [2, 0], isComplete: false });
  });

  test.each([
    ["61ff", "a stray byte"],
    ["62c080", "an overlong NUL"],
    ["62c328", "a broken pair"],
    ["63eda080", "a surrogate"],
    ["64f4908080", "a code point above U+10FFFF"],
    ["61c3", "half a character"],
  ])("text: %s is %s, refused", (hex) => {
    expect(ask(hex, (r) => r.text(0, 10))).toEqual({ value: "", isComplete: false });
  });

  test("text: valid again after a refusal elsewhere, no state carried between readers", () => {
    expect(ask("61c3", (r) => r.text(0, 10)).isComplete).toBe(false);
    expect(ask("6161", (r) => r.text(0, 10))).toEqual({ value: "a", isComplete: true });
  });

  test("text: a byte order mark, kept, so that the round trip holds", () => {
    expect(ask("64efbbbf61", (r) => r.text(0, 10)).value).toBe("\ufeffa");
  });

  test("text: bounds count bytes, not characters", () => {
    expect(ask("62c3bc", (r) => r.text(0, 1)).isComplete).toBe(false);
    expect(ask("62c3bc", (r) => r.text(2, 2))).toEqual({ value: "ü", isComplete: true });
  });
});

describe("cbor reader: containers, tags, simple values", () => {
  test("array and map: the count up to the bound, refused above", () => {
    expect(ask("83", (r) => r.array(3)).value).toBe(3);
    expect(ask("84", (r) => r.array(3))).toEqual({ value: 0, isComplete: false });
    expect(ask("a2", (r) => r.map(2)).value).toBe(2);
    expect(ask("bb00000000ffffffff", (r) => r.map(2 ** 32))).toEqual({ value: 0, isComplete: false });
    expect(ask("9bffffffffffffffff", (r) => r.array(Number.MAX_SAFE_INTEGER))).toEqual({ value: 0, isComplete: false });
  });

  test("tag, key, optionalKey: the expected one taken, another refused or left", () => {
    expect(ask("d2", (r) => r.tag(18)).isComplete).toBe(true);
    expect(ask("d2", (r) => r.tag(17)).isComplete).toBe(false);
    expect(ask("d812", (r) => r.tag(18)).isComplete).toBe(false);
    expect(ask("01", (r) => r.key(1)).isComplete).toBe(true);
    expect(ask("02", (r) => r.key(1)).isComplete).toBe(false);
    expect(ask("05", (r) => r.optionalKey(5))).toEqual({ value: true, isComplete: true });
    expect(ask("06", (r) => [r.optionalKey(5), r.uint()])).toEqual({ value: [false, 6], isComplete: true });
    expect(ask("", (r) => r.optionalKey(0))).toEqual({ value: false, isComplete: true });
  });

  test("optionalKey: a key that takes more than one byte, an invariant violation of the caller", () => {
    expect(() => reader("1818").optionalKey(24)).toThrow(InvariantViolation);
  });

  test("bool: f4 and f5 only", () => {
    expect(ask("f4", (r) => r.bool())).toEqual({ value: false, isComplete: true });
    expect(ask("f5", (r) => r.bool())).toEqual({ value: true, isComplete: true });
    for (const hex of ["", "f6", "f7", "00", "f814"]) expect(ask(hex, (r) => r.bool()).isComplete).toBe(false);
  });

  test("exactly: the constant taken, a changed or cut one refused", () => {
    const constant = Uint8Array.of(1, 2, 3);
    expect(["010203", "010204", "0102", ""].map((hex) => ask(hex, (r) => r.exactly(constant)).isComplete)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test("kinds: each question refuses the first byte of every other kind", () => {
    const questions: Record<number, (r: CborReader) => unknown> = {
      0: (r) => r.uint(),
      2: (r) => r.bytes(0, 99),
      3: (r) => r.text(0, 99),
      4: (r) => r.array(99),
      5: (r) => r.map(99),
      6: (r) => r.tag(0),
    };
    for (const [kind, question] of Object.entries(questions)) {
      for (let major = 0; major < 8; major++) {
        const r = new CborReader(Uint8Array.of(major << 5));
        question(r);
        expect(r.isBroken).toBe(major !== Number(kind));
      }
    }
  });
});

describe("cbor reader: a broken reader stays broken", () => {
  test("reader: after a first violation, every read is empty and nothing is complete", () => {
    const r = reader("ff0141016101f581a100d2");
    r.uint();
    expect(r.isBroken).toBe(true);
    const { offset } = r;
    expect([r.uint(), r.uint64(), r.bytes(0, 9).length, r.text(0, 9), r.array(9), r.map(9), r.bool(), r.optionalKey(0)]).toEqual([
      0,
      0n,
      0,
      "",
      0,
      0,
      false,
      false,
    ]);
    r.tag(0);
    r.key(0);
    r.exactly(new Uint8Array(0));
    expect([r.offset, r.hasMore, r.isComplete, r.isBroken]).toEqual([offset, false, false, true]);
  });

  test("reader: reject, broken at a word of the caller", () => {
    const r = reader("01");
    r.uint();
    expect(r.isComplete).toBe(true);
    r.reject();
    expect([r.isComplete, r.isBroken]).toEqual([false, true]);
  });

  test("reader: bytes left over, not complete and hasMore", () => {
    const r = reader("0102");
    r.uint();
    expect([r.isComplete, r.hasMore, r.offset]).toEqual([false, true, 1]);
  });
});
