import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalJson, JSON_DEPTH_MAX } from "../../../src/crypto/index.ts";

const NOT_JSON = { ok: false, error: "notJson" } as const;
const text = (value: unknown): string => {
  const result = canonicalJson(value);
  return result.ok ? result.value : result.error;
};

describe("canonical json", () => {
  test("example of RFC 8785 section 3.2.2: literals, numbers and strings, its text", () => {
    const value = {
      numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
      string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
      literals: [null, true, false],
    };
    expect(text(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test("example of RFC 8785 section 3.2.3: keys, in the order of their UTF-16 units", () => {
    const value = { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 };
    expect(text(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}');
  });

  test("numbers: negative zero and large integers, as ECMAScript writes them", () => {
    expect([-0, 0, 1e21, 123456789012345680000, -1].map(text)).toEqual(["0", "0", "1e+21", "123456789012345680000", "-1"]);
  });

  test("objects: integer-like keys sorted as text, `__proto__` a key like others, no prototype taken", () => {
    expect(text({ 10: 1, 9: 2, b: 3 })).toBe('{"10":1,"9":2,"b":3}');
    expect(text(JSON.parse('{"__proto__":{"x":1},"a":0}'))).toBe('{"__proto__":{"x":1},"a":0}');
    expect(text(Object.assign(Object.create(null), { b: 1, a: [] }))).toBe('{"a":[],"b":1}');
    expect(text({})).toBe("{}");
  });

  const withToJson = { toJSON: () => 1 };
  test.each([
    [undefined],
    [Number.NaN],
    [Number.NEGATIVE_INFINITY],
    [1n],
    [Symbol("x")],
    [() => 1],
    ["\ud800"],
    ["a\udc00b"],
    [{ "\ud800": 1 }],
    [{ a: undefined }],
    [[1, undefined]],
    [new Array(1)],
    [new Date(0)],
    [new Map()],
    [Uint8Array.of(1)],
    [withToJson],
    [{ deep: [{ er: Number.NaN }] }],
  ])("refused: case %#, notJson", (value) => {
    expect(canonicalJson(value)).toEqual(NOT_JSON);
  });

  test("depth: at the bound taken, beyond it and in a cycle refused", () => {
    const nested = (depth: number): unknown => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 1);
    expect(canonicalJson(nested(JSON_DEPTH_MAX)).ok).toBe(true);
    expect(canonicalJson(nested(JSON_DEPTH_MAX + 1))).toEqual(NOT_JSON);
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(canonicalJson(cycle)).toEqual(NOT_JSON);
  });

  test("any JSON value: parses back to itself, whatever the order of keys, and is its own canonical form", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const parsed: unknown = JSON.parse(JSON.stringify(value));
        const written = text(parsed);
        expect(JSON.parse(written)).toEqual(parsed);
        expect(text(JSON.parse(written))).toBe(written);
        expect(text(reversed(parsed))).toBe(written);
      }),
    );
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, reversed(item)] as const);
  return Object.fromEntries(entries.reverse());
}
