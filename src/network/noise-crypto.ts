import { createHash, createHmac, createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import type { ICryptoInterface, KeyPair } from "@libp2p/noise";
import sodium from "libsodium-wrappers";
import type { Entropy } from "../kernel/index.ts";

/** DER up to the key itself (RFC 8410): PKCS#8 of an X25519 private key, SubjectPublicKeyInfo of a public one. */
const PRIVATE_PREFIX = Buffer.from("302e020100300506032b656e04220420", "hex");
const PUBLIC_PREFIX = Buffer.from("302a300506032b656e032100", "hex");

/**
 * The primitives of Noise: ChaCha20-Poly1305 by libsodium in WebAssembly, for which the runtime has no cipher, and X25519,
 * SHA-256 and HKDF by the runtime. Wait for it once: the module is compiled on the first call.
 */
export async function noiseCrypto(entropy: Entropy): Promise<ICryptoInterface> {
  await sodium.ready;
  return {
    hashSHA256: (bytes) => plain(createHash("sha256").update(bytes.subarray()).digest()),
    getHKDF: hkdf,
    generateX25519KeyPair: () => keyPairOf(entropy.bytes(32)),
    generateX25519KeyPairFromSeed: keyPairOf,
    generateX25519SharedKey: (privateKey, publicKey) =>
      plain(diffieHellman({ privateKey: importPrivate(privateKey.subarray()), publicKey: importPublic(publicKey.subarray()) })),
    chaCha20Poly1305Encrypt: (plaintext, nonce, associated, key) =>
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plaintext.subarray(), associated, null, nonce, key),
    chaCha20Poly1305Decrypt: (ciphertext, nonce, associated, key) =>
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, ciphertext.subarray(), associated, nonce, key),
  };
}

/** Three keys of 32 bytes from a chaining key and new material: HKDF with SHA-256 and no info (Noise, section 4.3). */
function hkdf(chainingKey: Uint8Array, material: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const secret = hmac(chainingKey, material);
  const first = hmac(secret, Uint8Array.of(1));
  const second = hmac(secret, first, Uint8Array.of(2));
  return [first, second, hmac(secret, second, Uint8Array.of(3))];
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return plain(mac.digest());
}

function keyPairOf(seed: Uint8Array): KeyPair {
  const spki = createPublicKey(importPrivate(seed)).export({ format: "der", type: "spki" });
  return { privateKey: seed, publicKey: Uint8Array.from(spki.subarray(PUBLIC_PREFIX.length)) };
}

function importPrivate(key: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, key]), format: "der", type: "pkcs8" });
}

function importPublic(key: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, key]), format: "der", type: "spki" });
}

/** A Buffer's methods differ from those of the array that callers expect. */
function plain(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
