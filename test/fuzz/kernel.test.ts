import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CborReader, CborWriter, parseHex, toHex } from "../../src/kernel/index.ts";
import { damaged } from "./damage.ts";

/** A value together with its shape, which is all a schema is: kinds, counts and bounds. */
type Item =
  | { readonly kind: "uint"; readonly value: bigint }
  | { readonly kind: "bytes"; readonly value: Uint8Array }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "tag"; readonly tag: number; readonly item: Item }
  | { readonly kind: "array" | "map"; readonly items: readonly Item[] };

const U64_MAX = (1n << 64n) - 1n;
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: U64_MAX }), fc.bigInt({ min: 0n, max: 70_000n }), fc.nat({ max: 30 }).map(BigInt));
const { item } = fc.letrec<{ item: Item }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 3 },
    fc.record({ kind: fc.constant("uint" as const), value: uint64 }),
    fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ kind: fc.constant("text" as const), value: fc.string({ unit: "grapheme", maxLength: 10 }) }),
    fc.record({ kind: fc.constant("bool" as const), value: fc.boolean() }),
    fc.record({ kind: fc.constant("tag" as const), tag: fc.nat({ max: 2000 }), item: tie("item") }),
    fc.record({ kind: fc.constant("array" as const), items: fc.array(tie("item"), { maxLength: 4 }) }),
    fc.record({ kind: fc.constant("map" as const), items: fc.array(tie("item"), { maxLength: 2 }).map((items) => [...items, ...items]) }),
  ),
}));

function write(writer: CborWriter, it: Item): CborWriter {
  switch (it.kind) {
    case "uint":
      return writer.uint(it.value);
    case "bytes":
      return writer.bytes(it.value);
    case "text":
      return writer.text(it.value);
    case "bool":
      return writer.bool(it.value);
    case "tag":
      return write(writer.tag(it.tag), it.item);
    case "array":
      return it.items.reduce(write, writer.array(it.items.length));
    case "map":
      return it.items.reduce(write, writer.map(it.items.length / 2));
  }
}

/** Reads along the shape of an item; counts and contents come from the input. */
function readAlong(reader: CborReader, shape: Item): Item {
  switch (shape.kind) {
    case "uint":
      return { kind: "uint", value: reader.uint64() };
    case "bytes":
      return { kind: "bytes", value: reader.bytes(0, 1000).slice() };
    case "text":
      return { kind: "text", value: reader.text(0, 1000) };
    case "bool":
      return { kind: "bool", value: reader.bool() };
    case "tag":
      reader.tag(shape.tag);
      return { kind: "tag", tag: shape.tag, item: readAlong(reader, shape.item) };
    case "array":
      return { kind: "array", items: readItems(reader, reader.array(shape.items.length), shape.items) };
    case "map":
      return { kind: "map", items: readItems(reader, 2 * reader.map(shape.items.length / 2), shape.items) };
  }
}

function readItems(reader: CborReader, count: number, shapes: readonly Item[]): Item[] {
  return shapes.slice(0, count).map((shape) => readAlong(reader, shape));
}

describe("fuzz: canonical CBOR", () => {
  test("cbor: anything written, read back along its shape, complete and equal", () => {
    fc.assert(
      fc.property(item, (it) => {
        const reader = new CborReader(write(new CborWriter(), it).finish());
        expect(readAlong(reader, it)).toEqual(it);
        expect(reader.isComplete).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  test("cbor: damaged bytes, refused or the one spelling of what was read", () => {
    fc.assert(
      fc.property(
        item.chain((it) => fc.tuple(fc.constant(it), damaged(write(new CborWriter(), it).finish()))),
        ([shape, input]) => {
          const reader = new CborReader(input);
          const read = readAlong(reader, shape);
          if (reader.isComplete) expect(toHex(write(new CborWriter(), read).finish())).toBe(toHex(input));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("cbor: any bytes along any shape, no throw, and never past the end", () => {
    fc.assert(
      fc.property(item, fc.uint8Array({ maxLength: 60 }), (shape, input) => {
        const reader = new CborReader(input);
        readAlong(reader, shape);
        expect(reader.offset).toBeLessThanOrEqual(input.length);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("fuzz: hexadecimal", () => {
  test("hex: any text, undefined or a spelling of the bytes", () => {
    const nearHex = fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEFg \n-+x."), maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(nearHex, fc.string()), (text) => {
        const parsed = parseHex(text);
        if (parsed !== undefined) expect(toHex(parsed)).toBe(text.toLowerCase());
      }),
      { numRuns: 2000 },
    );
  });
});
