import { sha256 as nobleSha256 } from "@noble/hashes/sha2.js";
import { concatBytes } from "../kernel/index.ts";

/** Bytes of a SHA-256 digest. */
export const DIGEST_BYTES = 32;

/** SHA-256 of one byte string by the fastest code at hand: Bun's where there is Bun, noble's elsewhere (browsers). */
const hashOne: (bytes: Uint8Array) => Uint8Array = typeof Bun === "undefined" ? nobleSha256 : hashByBun;

/**
 * SHA-256 of the parts joined in order: 32 bytes of their own.
 *
 * Parts are joined before hashing: for the short inputs of this project one native call on a joined copy costs no more
 * than several calls on a streaming hasher.
 *
 * @see FIPS 180-4
 */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const only = parts[0];
  return hashOne(parts.length === 1 && only !== undefined ? only : concatBytes(...parts));
}

/** Writing into an array of ours is a little faster than taking the one Bun would make. */
function hashByBun(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(DIGEST_BYTES);
  Bun.SHA256.hash(bytes, digest);
  return digest;
}
