import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { checkPublicKey, checkSignatureShape, PUBLIC_KEY_BYTES } from "./ed25519-rule.ts";

/** DER of a SubjectPublicKeyInfo for Ed25519 up to the key itself (RFC 8410 section 4). */
const SPKI_PREFIX = Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00);
const ED25519 = { name: "Ed25519" };

/**
 * Verifications handed to the thread pool at a time by one call. Measured on two cores: from 64 up the rate no longer
 * grows, and at 64 the event loop is held up for about a millisecond against three to five at 200.
 */
const IN_FLIGHT_MAX = 64;

/** One signature to verify: 32-byte key, message, 64-byte signature; other lengths are verdict false. */
export interface SignatureClaim {
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * Whether a signature is valid by the one rule: the checks of `ed25519-rule.ts`, then the runtime's native verifier, on
 * the calling thread (about 40 microseconds). Total on any input.
 *
 * Keys are imported each time: that costs under a microsecond, so a cache would save nothing and need a bound.
 *
 * @see consensus.md, Keys and signatures
 */
export function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!checkPublicKey(key) || !checkSignatureShape(signature)) return false;
  return verify(null, message, importPublicKey(key), signature);
}

/**
 * The verdicts of `verifyEd25519` on many claims, in their order, computed on the native thread pool so that all cores
 * work and the event loop stays free. The arrays must not be written until the promise settles.
 */
export async function verifyEd25519Many(claims: readonly SignatureClaim[]): Promise<boolean[]> {
  const verdicts: boolean[] = [];
  for (let start = 0; start < claims.length; start += IN_FLIGHT_MAX) {
    verdicts.push(...(await Promise.all(claims.slice(start, start + IN_FLIGHT_MAX).map(verifyOnPool))));
  }
  return verdicts;
}

async function verifyOnPool({ key, message, signature }: SignatureClaim): Promise<boolean> {
  if (!checkPublicKey(key) || !checkSignatureShape(signature)) return false;
  const imported = await crypto.subtle.importKey("raw", ownBuffer(key), ED25519, false, ["verify"]);
  return crypto.subtle.verify(ED25519, imported, ownBuffer(signature), ownBuffer(message));
}

/** WebCrypto's types refuse arrays over shared memory, which this project has none of. */
function ownBuffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>;
}

function importPublicKey(key: Uint8Array): KeyObject {
  const spki = Buffer.allocUnsafe(SPKI_PREFIX.length + PUBLIC_KEY_BYTES);
  spki.set(SPKI_PREFIX);
  spki.set(key, SPKI_PREFIX.length);
  return createPublicKey({ key: spki, format: "der", type: "spki" });
}
