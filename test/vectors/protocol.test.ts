import { expect, test } from "bun:test";
import { toHex } from "../../src/kernel/index.ts";
import golden from "./protocol.json" with { type: "json" };
import { goldenEncodings } from "./protocol-samples.ts";

const written: Readonly<Record<string, string>> = golden;

test("vectors: the golden file and the samples, name the same encodings", () => {
  expect(Object.keys(written).sort()).toEqual(Object.keys(goldenEncodings).sort());
});

for (const [name, bytes] of Object.entries(goldenEncodings)) {
  test(`vectors: ${name}, encodes to the golden bytes`, () => {
    expect(toHex(bytes)).toBe(written[name] as string);
  });
}
