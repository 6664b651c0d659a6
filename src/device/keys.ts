import { encodePkcs8Pem, nobleSigner, parsePkcs8Pem, SEED_BYTES, type Signer } from "../crypto/portable.ts";
import { assert, type Entropy, ok, type Result } from "../kernel/index.ts";
import { formatAddress } from "../protocol/index.ts";

/** A device's Ed25519 key in memory. The seed is the secret: whoever has it signs as the device. */
export type DeviceKey = Signer & {
  /** The private key of RFC 8032, 32 bytes. */
  readonly seed: Uint8Array;
  /** The account's bech32m address with prefix `bz`. */
  readonly address: string;
};

/** The key of a 32-byte seed. */
export function keyOfSeed(seed: Uint8Array): DeviceKey {
  assert(seed.length === SEED_BYTES, "an Ed25519 seed has 32 bytes");
  const signer = nobleSigner(seed);
  return { ...signer, seed: Uint8Array.from(seed), address: formatAddress(signer.publicKey) };
}

/** A new key. @param entropy fit for keys: 32 bytes of it become the seed */
export function generateKey(entropy: Entropy): DeviceKey {
  return keyOfSeed(entropy.bytes(SEED_BYTES));
}

/** The key in an unencrypted PKCS#8 PEM text, as `openssl genpkey -algorithm ed25519` writes it. Errors: `malformed`. */
export function importKeyPem(text: string): Result<DeviceKey, "malformed"> {
  const seed = parsePkcs8Pem(text);
  return seed.ok ? ok(keyOfSeed(seed.value)) : seed;
}

/** The key as an unencrypted PKCS#8 PEM text. */
export function exportKeyPem(key: DeviceKey): string {
  return encodePkcs8Pem(key.seed);
}
