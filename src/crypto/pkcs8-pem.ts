import { base64 } from "@scure/base";
import { assert, bytesEqual, concatBytes, err, ok, type Result } from "../kernel/index.ts";

/** Bytes of an Ed25519 seed, the private key of RFC 8032. */
export const SEED_BYTES = 32;

/** DER of a PKCS#8 version 1 key for Ed25519 up to the seed itself (RFC 8410 section 7). */
const PKCS8_PREFIX = Uint8Array.of(0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20);

/** The armour of RFC 7468 around the one base64 line that 48 bytes take; line ends of any system, space around it. */
const PEM = /^\s*-----BEGIN PRIVATE KEY-----\r?\n([A-Za-z0-9+/]{64})\r?\n-----END PRIVATE KEY-----\s*$/;
const PEM_TEXT_LENGTH_MAX = 1024;

/** DER of the PKCS#8 form of a 32-byte Ed25519 seed. */
export function encodePkcs8(seed: Uint8Array): Uint8Array {
  assert(seed.length === SEED_BYTES, "an Ed25519 seed has 32 bytes");
  return concatBytes(PKCS8_PREFIX, seed);
}

/** A 32-byte Ed25519 seed as the text `openssl genpkey -algorithm ed25519` writes. Unencrypted. */
export function encodePkcs8Pem(seed: Uint8Array): string {
  return `-----BEGIN PRIVATE KEY-----\n${base64.encode(encodePkcs8(seed))}\n-----END PRIVATE KEY-----\n`;
}

/** The 32-byte seed in such a text. An encrypted key, another algorithm or another armour is malformed. */
export function parsePkcs8Pem(text: string): Result<Uint8Array, "malformed"> {
  const encoded = text.length <= PEM_TEXT_LENGTH_MAX ? PEM.exec(text)?.[1] : undefined;
  if (encoded === undefined) return err("malformed");
  const der = base64.decode(encoded);
  if (!bytesEqual(der.subarray(0, PKCS8_PREFIX.length), PKCS8_PREFIX)) return err("malformed");
  return ok(der.slice(PKCS8_PREFIX.length));
}
