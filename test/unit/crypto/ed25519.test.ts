import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  localSigner,
  nativeSuite,
  nobleSuite,
  publicKeyOf,
  type SignatureClaim,
  signEd25519,
  verifyEd25519,
  verifyEd25519Many,
} from "../../../src/crypto/index.ts";
import { InvariantViolation, Prng, utf8 } from "../../../src/kernel/index.ts";

const prng = new Prng(1);
const seeds = Array.from({ length: 5 }, () => prng.bytes(32));

/** Honest claims by several keys, some of them spoiled in one of the ways a claim can be wrong. */
function claims(count: number): { claim: SignatureClaim; isValid: boolean }[] {
  return Array.from({ length: count }, (_, i) => claimAt(i));
}

/** The i-th claim; the 0th and every seventh after it honest. */
function claimAt(i: number): { claim: SignatureClaim; isValid: boolean } {
  const seed = seeds[i % seeds.length] as Uint8Array;
  const message = prng.bytes(i % 300);
  const claim = { key: publicKeyOf(seed), message, signature: signEd25519(seed, message) };
  const spoil = i % 7;
  if (spoil === 1) claim.signature[40] = (claim.signature[40] ?? 0) ^ 1;
  if (spoil === 2) claim.key = publicKeyOf(seeds[(i + 1) % seeds.length] as Uint8Array);
  if (spoil === 3) claim.message = utf8(`another message ${i}`);
  if (spoil === 4) claim.key = new Uint8Array(32);
  if (spoil === 5) claim.signature = claim.signature.subarray(0, 63);
  return { claim, isValid: spoil === 0 || spoil === 6 };
}

describe("ed25519: verifying", () => {
  test("verify: honest and spoiled claims, the same verdict by every backend", async () => {
    const samples = claims(35);
    const expected = samples.map(({ isValid }) => isValid);
    expect(samples.map(({ claim: c }) => nativeSuite.verify(c.key, c.message, c.signature))).toEqual(expected);
    expect(samples.map(({ claim: c }) => nobleSuite.verify(c.key, c.message, c.signature))).toEqual(expected);
    expect(await verifyEd25519Many(samples.map(({ claim }) => claim))).toEqual(expected);
  });

  test("verifyEd25519Many: more claims than are in flight at a time, verdicts in the order of the claims", async () => {
    const samples = claims(331);
    expect(await verifyEd25519Many(samples.map(({ claim }) => claim))).toEqual(samples.map(({ isValid }) => isValid));
  });

  test("verifyEd25519Many: no claims, no verdicts", async () => {
    expect(await verifyEd25519Many([])).toEqual([]);
  });

  test("verifyEd25519Many: timers run while it works, the loop is not held", async () => {
    const many = Array.from({ length: 600 }, () => claimAt(0).claim);
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await verifyEd25519Many(many);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  test("verify: any bytes as key and signature, false and never a throw", () => {
    const input = fc.tuple(fc.uint8Array({ maxLength: 66 }), fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 66 }));
    fc.assert(
      fc.property(input, ([key, message, signature]) => {
        expect(verifyEd25519(key, message, signature)).toBe(false);
        expect(nobleSuite.verify(key, message, signature)).toBe(false);
      }),
    );
  });

  test("verify: a key off the curve that passes the byte checks, false by every backend", async () => {
    const key = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 2 : 0));
    const signature = signEd25519(seeds[0] as Uint8Array, utf8("m"));
    expect(verifyEd25519(key, utf8("m"), signature)).toBe(false);
    expect(nobleSuite.verify(key, utf8("m"), signature)).toBe(false);
    expect(await verifyEd25519Many([{ key, message: utf8("m"), signature }])).toEqual([false]);
  });

  test("verify: inputs that are views at an offset, read from their own start", () => {
    const { key, message, signature } = claimAt(0).claim;
    const shifted = (bytes: Uint8Array) => Uint8Array.from([9, ...bytes, 9]).subarray(1, -1);
    expect(verifyEd25519(shifted(key), shifted(message), shifted(signature))).toBe(true);
    expect(nobleSuite.verify(shifted(key), shifted(message), shifted(signature))).toBe(true);
  });
});

describe("ed25519: signing", () => {
  test("localSigner: its seed cleared afterwards, still signs and shows its key", () => {
    const seed = prng.bytes(32);
    const key = publicKeyOf(seed);
    const expected = signEd25519(seed, utf8("m"));
    const signer = localSigner(seed);
    seed.fill(0);
    expect(signer.publicKey).toEqual(key);
    expect(signer.sign(utf8("m"))).toEqual(expected);
    expect(Buffer.isBuffer(signer.sign(utf8("m"))) || Buffer.isBuffer(signer.publicKey)).toBe(false);
  });

  test.each([0, 31, 33, 64])("seed: %d bytes, an invariant violation", (length) => {
    expect(() => publicKeyOf(new Uint8Array(length))).toThrow(InvariantViolation);
    expect(() => localSigner(new Uint8Array(length))).toThrow(InvariantViolation);
  });
});
