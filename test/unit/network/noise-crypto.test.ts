import { expect, test } from "bun:test";
import { pureJsCrypto } from "@libp2p/noise";
import { Prng } from "../../../src/kernel/index.ts";
import { noiseCrypto } from "../../../src/network/noise-crypto.ts";

const prng = new Prng(3);
const native = await noiseCrypto({ bytes: (count) => prng.bytes(count) });

test("noise crypto: every primitive, the same as the library's portable one", () => {
  for (const size of [0, 1, 31, 32, 64, 1_000, 65_519]) {
    const [key, nonce, associated, text] = [prng.bytes(32), prng.bytes(12), prng.bytes(size % 40), prng.bytes(size)];
    expect(native.hashSHA256(text)).toEqual(pureJsCrypto.hashSHA256(text));
    expect(native.getHKDF(key, text)).toEqual(pureJsCrypto.getHKDF(key, text));
    const sealed = native.chaCha20Poly1305Encrypt(text, nonce, associated, key).subarray();
    expect(sealed).toEqual(pureJsCrypto.chaCha20Poly1305Encrypt(text, nonce, associated, key).subarray());
    expect(native.chaCha20Poly1305Decrypt(sealed, nonce, associated, key).subarray()).toEqual(text);
    sealed[0] = (sealed[0] ?? 0) ^ 1;
    expect(() => native.chaCha20Poly1305Decrypt(sealed, nonce, associated, key)).toThrow();
  }
});

test("noise crypto: key pairs and shared keys, the same as the library's portable ones", () => {
  const [a, b] = [native.generateX25519KeyPair(), native.generateX25519KeyPair()];
  expect(a.publicKey).toEqual(pureJsCrypto.generateX25519KeyPairFromSeed(a.privateKey).publicKey);
  const shared = native.generateX25519SharedKey(a.privateKey, b.publicKey);
  expect(shared).toEqual(pureJsCrypto.generateX25519SharedKey(b.privateKey, a.publicKey));
});

test("noise crypto: a public key of small order, no shared key", () => {
  expect(() => native.generateX25519SharedKey(prng.bytes(32), new Uint8Array(32))).toThrow();
});
