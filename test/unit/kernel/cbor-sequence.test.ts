import { expect, test } from "bun:test";
import { concatBytes, parseHex, splitCborSequence, toHex } from "../../../src/kernel/index.ts";

function bytesOf(hex: string): Uint8Array {
  const bytes = parseHex(hex.replaceAll(" ", ""));
  if (!bytes) throw new Error(`no hex: ${hex}`);
  return bytes;
}

function itemsOf(hex: string): string[] {
  return splitCborSequence(bytesOf(hex), 100).items.map(toHex);
}

/** Encodings of RFC 8949 appendix A, of every major type and width. */
const WELL_FORMED =
  "00 | 17 | 1818 | 1903e8 | 1a000f4240 | 1bffffffffffffffff | 20 | 3bffffffffffffffff | f97e00 | fa47c35000 | fb3ff199999999999a | f4 | f6 | f7 | f0 | f8ff | c074323031332d30332d32315432303a30343a30305a | c1fb41d452d9e8000000 | d74401020304 | 40 | 4401020304 | 60 | 6161 | 62c3bc | 80 | 83010203 | 8301820203820405 | a0 | a201020304 | a26161016162820203 | 5f42010243030405ff | 7f657374726561646d696e67ff | 9fff | 9f018202039f0405ffff | bf61610161629f0203ffff | 826161bf61626163ff".split(
    " | ",
  );

test("sequence: every well-formed encoding of RFC 8949 appendix A, found alone and among all others", () => {
  for (const hex of WELL_FORMED) expect(itemsOf(hex)).toEqual([hex]);
  expect(itemsOf(WELL_FORMED.join(""))).toEqual(WELL_FORMED);
});

/** Encodings of RFC 8949 appendix F that are not well formed. */
const ILL_FORMED =
  "18 | 19 | 1a | 1b | 1901 | 1a0102 | 1b01020304050607 | 38 | 58 | 78 | 98 | 9a01ff00 | b8 | d8 | f8 | f900 | fa0000 | fb000000 | 41 | 61 | 5affffffff00 | 5bffffffffffffffff010203 | 7affffffff00 | 7b7fffffffffffffff010203 | 81 | 818181818181818181 | 8200 | a1 | a20102 | a100 | a2000000 | c0 | 5f4100 | 7f6100 | 9f | 9f0102 | bf | bf01020102 | 819f | 9f8000 | 9f9f9f9f9fffffffff | 9f819f819f9fffffff | 1c | 1d | 1e | 3c | 5c | 7c | 9c | bc | dc | fc | fd | fe | f800 | f81f | 5f00ff | 5f21ff | 5f6100ff | 5f80ff | 5fa0ff | 5fc000ff | 5fe0ff | 7f4100ff | 5f5f4100ffff | 7f7f6100ffff | ff | 81ff | 8200ff | a1ff | a1ff00 | a100ff | a20000ff | 9f81ff | 9f829f819f9fffffffff | bf00ff | bf000000ff | 1f | 3f | df".split(
    " | ",
  );

test("sequence: every encoding of RFC 8949 appendix F, damage where it begins, after a good item as well", () => {
  for (const hex of ILL_FORMED) {
    expect([hex, splitCborSequence(bytesOf(hex), 100)]).toEqual([hex, { items: [], damageAt: 0, isTooLong: false }]);
    const after = splitCborSequence(concatBytes(bytesOf("83010203"), bytesOf(hex)), 100);
    expect([hex, after.items.length, after.damageAt]).toEqual([hex, 1, 4]);
  }
});

test("sequence: nothing, no items and no damage", () => {
  expect(splitCborSequence(new Uint8Array(0), 1)).toEqual({ items: [], isTooLong: false });
});

test("sequence: as many items as allowed, taken; one more, said to be too long", () => {
  expect(splitCborSequence(new Uint8Array(3), 3)).toMatchObject({ isTooLong: false });
  const cut = splitCborSequence(new Uint8Array(4), 3);
  expect([cut.items.length, cut.isTooLong]).toEqual([3, true]);
});

test("sequence: nesting up to 16 levels, followed; deeper, damage and no deep stack", () => {
  expect(itemsOf(`${"81".repeat(16)}00`)).toHaveLength(1);
  expect(splitCborSequence(bytesOf(`${"81".repeat(17)}00`), 9).damageAt).toBe(0);
  expect(splitCborSequence(new Uint8Array(2 ** 20).fill(0x81), 9).damageAt).toBe(0);
});

test("sequence: claims of huge counts, answered at once and without their memory", () => {
  for (const hex of ["9bffffffffffffffff00", "bbffffffffffffffff00", "bb7fffffffffffffff00", "9b001fffffffffffff00"]) {
    expect([hex, splitCborSequence(bytesOf(hex), 9).damageAt]).toEqual([hex, 0]);
  }
});

test("sequence: items, views into the input and not copies", () => {
  const bytes = bytesOf("01 4401020304");
  const [, second] = splitCborSequence(bytes, 9).items;
  expect([second?.buffer === bytes.buffer, second?.byteOffset]).toEqual([true, 1]);
});
