import { describe, expect, test } from "bun:test";
import {
  isTorsionFree,
  localSigner,
  nativeSuite,
  nobleSuite,
  publicKeyOf,
  signEd25519,
  verifyEd25519Many,
} from "../../src/crypto/index.ts";
import { toHex } from "../../src/kernel/index.ts";
import { hexBytes, loadVectors } from "./load-vectors.ts";

interface Case {
  readonly name: string;
  readonly seed: string;
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
}
const { cases } = loadVectors<{ cases: Case[] }>("rfc/rfc8032-ed25519.json");

describe("RFC 8032 section 7.1", () => {
  test.each(cases.map((c) => [c.name, c] as const))(
    "ed25519: %s, key and signature as published, accepted by every backend",
    async (_name, c) => {
      const [seed, key, message, signature] = [c.seed, c.publicKey, c.message, c.signature].map(hexBytes) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      expect(toHex(publicKeyOf(seed))).toBe(c.publicKey);
      expect(toHex(signEd25519(seed, message))).toBe(c.signature);
      expect(toHex(localSigner(seed).sign(message))).toBe(c.signature);
      expect(isTorsionFree(key)).toBe(true);
      expect(nativeSuite.verify(key, message, signature)).toBe(true);
      expect(nobleSuite.verify(key, message, signature)).toBe(true);
      expect(await verifyEd25519Many([{ key, message, signature }])).toEqual([true]);
    },
  );

  test("ed25519: the cases, all five", () => {
    expect(cases.map(({ name }) => name)).toEqual(["TEST 1", "TEST 2", "TEST 3", "TEST 1024", "TEST SHA(abc)"]);
  });
});
