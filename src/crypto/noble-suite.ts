import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { bytesEqual, concatBytes } from "../kernel/index.ts";
import { decodePoint } from "./curve-point.ts";
import { checkPublicKey, checkSignatureShape } from "./ed25519-rule.ts";
import type { CryptoSuite } from "./suite.ts";

/** Order of the prime subgroup. */
const GROUP_ORDER = ed25519.Point.Fn.ORDER;

/** The suite of browsers, devices and offline verifiers: pure JavaScript, about ten times slower than native code. */
export const nobleSuite: CryptoSuite = { sha256: (bytes) => sha256(bytes), verify };

/**
 * Verifies by the equation native verifiers use: R = [S]B - [k]A, compared as bytes. Noble's own `verify` multiplies the
 * equation by the cofactor first, which accepts signatures that native code refuses and would split the chain.
 *
 * @see RFC 8032 section 5.1.7, the stricter equation
 */
function verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!checkPublicKey(key) || !checkSignatureShape(signature)) return false;
  const a = decodePoint(key);
  if (a === undefined) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const k = littleEndian(sha512(concatBytes(r, key, message))) % GROUP_ORDER;
  const expected = ed25519.Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k));
  return bytesEqual(expected.toBytes(), r);
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}
