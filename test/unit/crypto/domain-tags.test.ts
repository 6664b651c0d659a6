import { describe, expect, test } from "bun:test";
import { DOMAIN_TAG_TEXTS, DOMAIN_TAGS } from "../../../src/crypto/index.ts";
import { utf8 } from "../../../src/kernel/index.ts";

const texts: readonly string[] = Object.values(DOMAIN_TAG_TEXTS);

describe("domain tags", () => {
  test("tags: the transaction's, the ten bytes outside signers write", () => {
    expect(DOMAIN_TAGS.transaction).toEqual(Uint8Array.of(0x62, 0x69, 0x7a, 0x72, 0x61, 0x2f, 0x74, 0x78, 0x2f, 0x31));
  });

  test("tags: all, distinct and none the beginning of another", () => {
    for (const a of texts) for (const b of texts) if (a !== b) expect(b.startsWith(a)).toBe(false);
    expect(new Set(texts).size).toBe(texts.length);
  });

  test("tags: all, lower-case ASCII of one shape that ends in a version, with their bytes under the same name", () => {
    for (const text of texts) expect(text).toMatch(/^bizra\/[a-z-]+\/[1-9][0-9]*$/);
    expect(Object.keys(DOMAIN_TAGS)).toEqual(Object.keys(DOMAIN_TAG_TEXTS));
    expect(Object.values(DOMAIN_TAGS)).toEqual(texts.map(utf8));
  });
});
