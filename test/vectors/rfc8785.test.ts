import { describe, expect, test } from "bun:test";
import { canonicalJson } from "../../src/crypto/index.ts";
import { hexBytes, loadVectors } from "./load-vectors.ts";

const { cases } = loadVectors<{ cases: { bits: string; json: string | null }[] }>("rfc/rfc8785-numbers.json");

describe("RFC 8785 appendix B", () => {
  test.each(cases.map(({ bits, json }) => [bits, json] as const))("canonical json: the double %s, %p", (bits, json) => {
    const value = new DataView(hexBytes(bits).buffer).getFloat64(0);
    expect(canonicalJson(value)).toEqual(json === null ? { ok: false, error: "notJson" } : { ok: true, value: json });
  });

  test("canonical json: the table, whole", () => {
    expect(cases.length).toBe(26);
  });
});
