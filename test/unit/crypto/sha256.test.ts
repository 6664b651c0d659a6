import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { DIGEST_BYTES, nativeSuite, nobleSuite, sha256 } from "../../../src/crypto/index.ts";
import { toHex, utf8 } from "../../../src/kernel/index.ts";

describe("sha256", () => {
  test.each([
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
  ])("sha256: the FIPS 180 example %j, its digest by every backend", (text, digest) => {
    for (const hash of [sha256, nativeSuite.sha256, nobleSuite.sha256]) expect(toHex(hash(utf8(text)))).toBe(digest);
  });

  test("sha256: any parts, the digest of their concatenation by an independent implementation", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (parts) => {
        const expected = createHash("sha256");
        for (const part of parts) expected.update(part);
        expect(toHex(sha256(...parts))).toBe(expected.digest("hex"));
        expect(toHex(nobleSuite.sha256(Buffer.concat(parts)))).toBe(toHex(sha256(...parts)));
      }),
    );
  });

  test("sha256: no part at all, the hash of nothing", () => {
    expect(sha256()).toEqual(sha256(new Uint8Array(0)));
  });

  test("sha256: called twice, arrays of their own", () => {
    const first = sha256(utf8("x"));
    first[0] = (first[0] ?? 0) ^ 1;
    expect(sha256(utf8("x"))).not.toEqual(first);
    expect(first.length).toBe(DIGEST_BYTES);
  });

  test("sha256: a view at an offset of a larger buffer, only its bytes", () => {
    expect(sha256(utf8("xabcx").subarray(1, 4))).toEqual(sha256(utf8("abc")));
  });
});
