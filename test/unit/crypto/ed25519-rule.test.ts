import { describe, expect, test } from "bun:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { checkPublicKey, checkSignatureShape, isTorsionFree, publicKeyOf, signEd25519 } from "../../../src/crypto/index.ts";
import { concatBytes, parseHex, present, toHex, utf8 } from "../../../src/kernel/index.ts";

const P = 2n ** 255n - 19n;
const L = ed25519.Point.Fn.ORDER;
const SEED = new Uint8Array(32).fill(5);
const KEY = publicKeyOf(SEED);
const SIGNATURE = signEd25519(SEED, utf8("message"));

/** 32 bytes, little-endian. */
function le(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}
const withR = (r: Uint8Array): Uint8Array => concatBytes(r, SIGNATURE.subarray(32));
const withS = (s: bigint): Uint8Array => concatBytes(SIGNATURE.subarray(0, 32), le(s));

/** One of the four points of order 8, by an encoding that every list of them has. */
const ORDER_8 = ed25519.Point.fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");

/** The small-order encodings derived anew: every multiple of a point of order 8, then every other spelling of its y and sign. */
function smallOrderEncodings(): Set<string> {
  const found = new Set<string>();
  let point = ed25519.Point.ZERO;
  for (let i = 0; i < 8; i++) {
    const { x, y } = point.toAffine();
    for (const spelledY of [y, y + P]) {
      if (spelledY >= 2n ** 255n) continue;
      const signs = x === 0n ? [0n, 1n] : [x & 1n];
      for (const sign of signs) found.add(toHex(le(spelledY | (sign << 255n))));
    }
    point = point.add(ORDER_8);
  }
  expect(point.equals(ed25519.Point.ZERO)).toBe(true);
  return found;
}

describe("ed25519 rule: public keys", () => {
  test("checkPublicKey: an honest key, true", () => {
    expect(checkPublicKey(KEY)).toBe(true);
  });

  test("small order: derived from the curve, exactly 14 encodings, each refused as key and as R", () => {
    const encodings = [...smallOrderEncodings()].map((hex) => present(parseHex(hex), "hex"));
    expect(encodings.length).toBe(14);
    for (const encoding of encodings) {
      expect(checkPublicKey(encoding)).toBe(false);
      expect(checkSignatureShape(withR(encoding))).toBe(false);
      expect(isTorsionFree(encoding)).toBe(false);
    }
  });

  test("canonical: every y from p up to 2^255 - 1 refused with either sign, the y below p not", () => {
    for (let y = P; y < 2n ** 255n; y++) {
      for (const sign of [0n, 1n]) {
        expect(checkPublicKey(le(y | (sign << 255n)))).toBe(false);
        expect(checkSignatureShape(withR(le(y | (sign << 255n))))).toBe(false);
      }
    }
    for (const y of [P - 2n, P - 3n, 2n ** 254n, 2n, 3n]) expect(checkPublicKey(le(y))).toBe(true);
    expect(checkPublicKey(le((P - 2n) | (1n << 255n)))).toBe(true);
  });

  test("canonical: y with all high bytes set but one, not mistaken for above p", () => {
    for (let i = 1; i < 31; i++) {
      const key = le(2n ** 255n - 1n);
      key[i] = 0xfe;
      expect(checkPublicKey(key)).toBe(true);
    }
  });

  test.each([0, 31, 33, 64])("length: a key of %d bytes, refused", (length) => {
    expect(checkPublicKey(new Uint8Array(length).fill(2))).toBe(false);
    expect(isTorsionFree(new Uint8Array(length).fill(2))).toBe(false);
  });

  test("isTorsionFree: an honest key true, with a small-order component false, off the curve false", () => {
    expect(isTorsionFree(KEY)).toBe(true);
    const mixed = ed25519.Point.fromBytes(KEY).add(ORDER_8).toBytes();
    expect(checkPublicKey(mixed)).toBe(true);
    expect(isTorsionFree(mixed)).toBe(false);
    const offCurve = le(2n);
    expect(() => ed25519.Point.fromBytes(offCurve)).toThrow();
    expect(checkPublicKey(offCurve)).toBe(true);
    expect(isTorsionFree(offCurve)).toBe(false);
  });
});

describe("ed25519 rule: signatures", () => {
  test("checkSignatureShape: an honest signature, true", () => {
    expect(checkSignatureShape(SIGNATURE)).toBe(true);
  });

  test("S: below the group order taken, from it up refused", () => {
    for (const s of [0n, 1n, L - 1n, L - 256n]) expect(checkSignatureShape(withS(s))).toBe(true);
    for (const s of [L, L + 1n, 2n * L, 2n ** 252n + 2n ** 251n, 2n ** 255n, 2n ** 256n - 1n])
      expect(checkSignatureShape(withS(s))).toBe(false);
  });

  test.each([0, 63, 65, 128])("length: a signature of %d bytes, refused", (length) => {
    expect(checkSignatureShape(new Uint8Array(length).fill(2))).toBe(false);
  });
});
