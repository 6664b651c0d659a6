import { describe, expect, test } from "bun:test";
import { CborReader, CborWriter, toHex } from "../../src/kernel/index.ts";
import { hexBytes, loadVectors } from "./load-vectors.ts";

interface Example {
  readonly hex: string;
  readonly kind: string;
  readonly value: string;
}
interface Codec {
  /** Reads the example along its schema and spells the value as the vector file does. */
  read(reader: CborReader): string;
  /** Writes the value that the vector file spells. */
  write(writer: CborWriter, value: string): CborWriter;
}

const { cases } = loadVectors<{ cases: Example[] }>("rfc/rfc8949-appendix-a.json");
const numbers = (value: string): bigint[] => value.split(" ").filter(Boolean).map(BigInt);
const bothOf = (value: string): [string, string] => [value.slice(0, value.indexOf(" ")), value.slice(value.indexOf(" ") + 1)];

const CODECS: Record<string, Codec> = {
  uint: { read: (r) => `${r.uint64()}`, write: (w, value) => w.uint(BigInt(value)) },
  bool: { read: (r) => `${r.bool()}`, write: (w, value) => w.bool(value === "true") },
  bytes: { read: (r) => toHex(r.bytes(0, 100)), write: (w, value) => w.bytes(hexBytes(value)) },
  text: { read: (r) => r.text(0, 100), write: (w, value) => w.text(value) },
  uintArray: {
    read: (r) => Array.from({ length: r.array(100) }, () => r.uint64()).join(" "),
    write: (w, value) => numbers(value).reduce((writer, item) => writer.uint(item), w.array(numbers(value).length)),
  },
  uintMap: {
    read: (r) => Array.from({ length: 2 * r.map(100) }, () => r.uint64()).join(" "),
    write: (w, value) => numbers(value).reduce((writer, item) => writer.uint(item), w.map(numbers(value).length / 2)),
  },
};

describe("RFC 8949 appendix A", () => {
  const readable = cases.filter(({ kind }) => kind in CODECS);
  test.each(readable.map(({ kind, value, hex }) => [kind, value, hex] as const))(
    "cbor: %s %j, read from and written as %s",
    (kind, value, hex) => {
      const codec = CODECS[kind] as Codec;
      const reader = new CborReader(hexBytes(hex));
      expect(codec.read(reader)).toBe(value);
      expect(reader.isComplete).toBe(true);
      expect(toHex(codec.write(new CborWriter(), value).finish())).toBe(hex);
    },
  );

  test.each(cases.filter(({ kind }) => kind.startsWith("tagged")).map(({ kind, value, hex }) => [kind, value, hex] as const))(
    "cbor: %s %j, tag and content read from and written as %s",
    (kind, value, hex) => {
      const [tag, content] = bothOf(value);
      const codec = CODECS[kind.slice("tagged".length).toLowerCase()] as Codec;
      const reader = new CborReader(hexBytes(hex));
      reader.tag(Number(tag));
      expect(codec.read(reader)).toBe(content);
      expect(reader.isComplete).toBe(true);
      expect(toHex(codec.write(new CborWriter().tag(Number(tag)), content).finish())).toBe(hex);
    },
  );

  test.each(cases.filter(({ kind }) => kind === "negative").map(({ value, hex }) => [value, hex] as const))(
    "cbor: negative %s, written as %s and refused by the reader, which has no negative field",
    (value, hex) => {
      expect(toHex(new CborWriter().int(Number(value)).finish())).toBe(hex);
      for (const codec of Object.values(CODECS)) expect(isReadBy(codec, hex)).toBe(false);
    },
  );

  test.each(cases.filter(({ kind }) => kind === "refused").map(({ hex }) => hex))(
    "cbor: %s is outside the subset, refused by every question",
    (hex) => {
      for (const codec of Object.values(CODECS)) expect(isReadBy(codec, hex)).toBe(false);
    },
  );

  test.each(nestedOf("nested"))("cbor: %s, read along its shape from %s and written as it", (value, hex) => {
    const shape: unknown = JSON.parse(value);
    const reader = new CborReader(hexBytes(hex));
    expect(readAlong(reader, shape)).toEqual(shape);
    expect(reader.isComplete).toBe(true);
    expect(toHex(writeAlong(new CborWriter(), shape).finish())).toBe(hex);
  });

  test.each(nestedOf("refusedNested"))("cbor: %s in indefinite lengths as %s, refused along its very shape", (value, hex) => {
    const reader = new CborReader(hexBytes(hex));
    readAlong(reader, JSON.parse(value));
    expect(reader.isComplete).toBe(false);
  });

  test("cbor: the table, all 82 examples", () => {
    expect(cases.length).toBe(82);
  });
});

function isReadBy(codec: Codec, hex: string): boolean {
  const reader = new CborReader(hexBytes(hex));
  codec.read(reader);
  return reader.isComplete;
}

function nestedOf(kind: string): (readonly [string, string])[] {
  return cases.filter((c) => c.kind === kind).map(({ value, hex }) => [value, hex] as const);
}

/** Reads what has the shape of an example: its numbers, texts, array and map sizes, its keys in their order. */
function readAlong(reader: CborReader, shape: unknown): unknown {
  if (typeof shape === "number") return reader.uint();
  if (typeof shape === "string") return reader.text(0, 100);
  if (Array.isArray(shape)) return [...Array(reader.array(100)).keys()].map((i) => readAlong(reader, shape[i]));
  const entries = Object.entries(shape as object);
  return Object.fromEntries([...Array(reader.map(100)).keys()].map((i) => [reader.text(0, 100), readAlong(reader, entries[i]?.[1])]));
}

function writeAlong(writer: CborWriter, shape: unknown): CborWriter {
  if (typeof shape === "number") return writer.uint(shape);
  if (typeof shape === "string") return writer.text(shape);
  if (Array.isArray(shape)) return shape.reduce<CborWriter>(writeAlong, writer.array(shape.length));
  const entries = Object.entries(shape as object);
  return entries.reduce<CborWriter>((w, [key, item]) => writeAlong(w.text(key), item), writer.map(entries.length));
}
