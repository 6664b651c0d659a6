import { expect, test } from "bun:test";
import fc from "fast-check";
import { CborWriter, concatBytes, splitCborSequence } from "../../src/kernel/index.ts";

test("sequence: any bytes, an answer whose items and damage account for every byte", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (bytes, itemsMax) => {
      const { items, damageAt, isTooLong } = splitCborSequence(bytes, itemsMax);
      const covered = concatBytes(...items);
      expect(covered).toEqual(bytes.slice(0, covered.length));
      expect(items.every((item) => item.length > 0)).toBe(true);
      expect(items.length).toBeLessThanOrEqual(itemsMax);
      if (damageAt !== undefined) expect([damageAt, isTooLong]).toEqual([covered.length, false]);
      else if (!isTooLong) expect(covered.length).toBe(bytes.length);
    }),
    { numRuns: 2_000 },
  );
});

type Item = { readonly bytes: Uint8Array };

/** Any well-formed item of limited depth, written by the kernel's writer or by hand for what that does not write. */
const item: fc.Arbitrary<Item> = fc.letrec<{ item: Item }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 5 },
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ({ bytes: new CborWriter().uint(value).finish() })),
    fc.uint8Array({ maxLength: 40 }).map((value) => ({ bytes: new CborWriter().bytes(value).finish() })),
    fc.string({ maxLength: 20 }).map((value) => ({ bytes: new CborWriter().text(value).finish() })),
    fc.boolean().map((value) => ({ bytes: new CborWriter().bool(value).finish() })),
    fc.double().map((value) => ({ bytes: float64(value) })),
    tie("item").map(({ bytes }) => ({ bytes: new CborWriter().tag(18).raw(bytes).finish() })),
    fc
      .array(tie("item"), { maxLength: 4 })
      .map((items) => ({ bytes: concatBytes(new CborWriter().array(items.length).finish(), ...items.map(({ bytes }) => bytes)) })),
    fc
      .array(tie("item"), { maxLength: 4 })
      .map((items) => ({ bytes: concatBytes(Uint8Array.of(0x9f), ...items.map(({ bytes }) => bytes), Uint8Array.of(0xff)) })),
    fc.array(fc.tuple(tie("item"), tie("item")), { maxLength: 3 }).map((pairs) => ({
      bytes: concatBytes(new CborWriter().map(pairs.length).finish(), ...pairs.flatMap(([key, value]) => [key.bytes, value.bytes])),
    })),
  ),
})).item;

test("sequence: any well-formed items one after another, cut where they were joined", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), (items) => {
      const split = splitCborSequence(concatBytes(...items.map(({ bytes }) => bytes)), 100);
      expect(split).toEqual({ items: items.map(({ bytes }) => bytes), isTooLong: false });
    }),
    { numRuns: 500 },
  );
});

test("sequence: a well-formed item cut short, damage at its beginning", () => {
  fc.assert(
    fc.property(item, fc.nat(), (whole, at) => {
      const cut = whole.bytes.slice(0, at % whole.bytes.length);
      fc.pre(cut.length > 0);
      expect(splitCborSequence(cut, 100)).toEqual({ items: [], damageAt: 0, isTooLong: false });
    }),
    { numRuns: 500 },
  );
});

function float64(value: number): Uint8Array {
  const bytes = new Uint8Array(9);
  bytes[0] = 0xfb;
  new DataView(bytes.buffer).setFloat64(1, value);
  return bytes;
}
