import { parseHex, present } from "../kernel/index.ts";
import { decodePoint } from "./curve-point.ts";

/** Bytes of an Ed25519 public key. */
export const PUBLIC_KEY_BYTES = 32;
/** Bytes of an Ed25519 signature: R then S. */
export const SIGNATURE_BYTES = 64;

/** The order L of the prime subgroup, 2^252 + 27742317777372353535851937790883648493, little-endian. */
const GROUP_ORDER = constant("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/**
 * The y coordinates of the eight points whose order divides 8, little-endian without the sign bit, in every spelling
 * that 255 bits allow. With either sign bit they are the 14 small-order encodings.
 *
 * @see "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020), table 2
 */
const SMALL_ORDER_YS: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000", // y = 0: order 4
  "0100000000000000000000000000000000000000000000000000000000000000", // y = 1: the identity
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = -1: order 2
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p, a spelling of 0
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // y = p + 1, a spelling of 1
].map(constant);

/**
 * Whether a public key may be given to a verifier: 32 bytes, its y canonical (below p, and no negative zero) and not of
 * small order. Byte compares only, cheap enough for every sender of every transaction. That the point lies on the curve
 * is left to the verifier, which then refuses the signature.
 *
 * @see consensus.md, Keys and signatures
 */
export function checkPublicKey(key: Uint8Array): boolean {
  return key.length === PUBLIC_KEY_BYTES && isPlainPoint(key, 0);
}

/**
 * Whether a signature may be given to a verifier: 64 bytes, R canonical and not of small order, S below the group order.
 *
 * @see consensus.md, Keys and signatures
 */
export function checkSignatureShape(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && isPlainPoint(signature, 0) && isBelowGroupOrder(signature, 32);
}

/**
 * Whether a key passes `checkPublicKey`, lies on the curve and has no small-order component. Asked once, when a validator
 * key is registered: a scalar multiplication is too slow for each sender, and agreement does not need it there.
 */
export function isTorsionFree(key: Uint8Array): boolean {
  if (!checkPublicKey(key)) return false;
  const point = decodePoint(key);
  return point?.isTorsionFree() ?? false;
}

/** Canonical (so below p) and not one of the 14 encodings; the two spellings of negative zero are among these. */
function isPlainPoint(bytes: Uint8Array, at: number): boolean {
  return !isAboveField(bytes, at) && !isSmallOrder(bytes, at);
}

/** Whether the 255-bit y is p = 2^255 - 19 or more: all bits above the lowest byte set, and that byte 0xed or more. */
function isAboveField(bytes: Uint8Array, at: number): boolean {
  if ((byteAt(bytes, at + 31) & 0x7f) !== 0x7f || byteAt(bytes, at) < 0xed) return false;
  for (let i = 30; i > 0; i--) if (bytes[at + i] !== 0xff) return false;
  return true;
}

function isSmallOrder(bytes: Uint8Array, at: number): boolean {
  for (const y of SMALL_ORDER_YS) if (y[0] === bytes[at] && isSameY(bytes, at, y)) return true;
  return false;
}

function isSameY(bytes: Uint8Array, at: number, y: Uint8Array): boolean {
  for (let i = 0; i < 31; i++) if (bytes[at + i] !== y[i]) return false;
  return (byteAt(bytes, at + 31) & 0x7f) === y[31];
}

function isBelowGroupOrder(bytes: Uint8Array, at: number): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = byteAt(bytes, at + i) - byteAt(GROUP_ORDER, i);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function constant(hex: string): Uint8Array {
  return present(parseHex(hex), "a constant is spelled in hexadecimal");
}
