import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { concatBytes } from "../../src/kernel/index.ts";

/*
 * The part of OpenPGP that GRUB verifies by (RFC 4880): RSA keys of version 4 and detached signatures with SHA-256. The format is
 * written here, the signing is the runtime's: no folder of keys, no agent, and equal content gives an equal signature.
 */

const PUBLIC_KEY_TAG = 6;
const SIGNATURE_TAG = 2;
const VERSION = 4;
const RSA = 1;
const SHA_256 = 8;
/** Signature over a file's bytes as they are (5.2.1). */
const BINARY_DOCUMENT = 0;
/** Subpackets (5.2.3.1): when it was made, and by which key. */
const SUBPACKET = { created: 2, issuer: 16 } as const;

const u16 = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 255);
const u32 = (value: number): Uint8Array => concatBytes(u16(value >>> 16), u16(value & 0xffff));

/** A packet with a length of two bytes (4.2.1). */
function packet(tag: number, body: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(0x80 | (tag << 2) | 1), u16(body.length), body);
}

/** A number with its length in bits (3.2). */
function integer(bytes: Uint8Array): Uint8Array {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? new Uint8Array() : bytes.subarray(start);
  const bits = digits.length * 8 - Math.clz32(digits[0] ?? 0) + 24;
  return concatBytes(u16(digits.length === 0 ? 0 : bits), digits);
}

function publicHalf(key: KeyObject): KeyObject {
  return key.type === "private" ? createPublicKey(key) : key;
}

/** Body of the key's packet (5.5.2). */
function keyBody(key: KeyObject, createdSeconds: number): Uint8Array {
  const { n = "", e = "" } = publicHalf(key).export({ format: "jwk" });
  const numbers = [n, e].map((text) => integer(new Uint8Array(Buffer.from(text, "base64url"))));
  return concatBytes(Uint8Array.of(VERSION), u32(createdSeconds), Uint8Array.of(RSA), ...numbers);
}

/** The last eight bytes of the key's fingerprint (12.2). */
function keyId(body: Uint8Array): Uint8Array {
  const hash = createHash("sha1").update(concatBytes(Uint8Array.of(0x99), u16(body.length), body));
  return new Uint8Array(hash.digest()).subarray(-8);
}

/**
 * An RSA key's public half as the boot loader takes it in.
 *
 * @param key either half
 * @param createdSeconds the key's age is part of its fingerprint; signatures must name the same one
 */
export function openPgpKey(key: KeyObject, createdSeconds: number): Uint8Array {
  return packet(PUBLIC_KEY_TAG, keyBody(key, createdSeconds));
}

/** What is signed beside the content: the signature's own head, and how long that is (5.2.4). */
function trailerOf(head: Uint8Array): Uint8Array {
  return concatBytes(head, Uint8Array.of(VERSION, 0xff), u32(head.length));
}

function headOf(createdSeconds: number): Uint8Array {
  const created = concatBytes(Uint8Array.of(5, SUBPACKET.created), u32(createdSeconds));
  return concatBytes(Uint8Array.of(VERSION, BINARY_DOCUMENT, RSA, SHA_256), u16(created.length), created);
}

/** The packet up to the number that only the key's owner can make. */
function prefixOf(key: KeyObject, content: Uint8Array, createdSeconds: number): Uint8Array {
  const head = headOf(createdSeconds);
  const issuer = concatBytes(Uint8Array.of(9, SUBPACKET.issuer), keyId(keyBody(key, createdSeconds)));
  const hash = createHash("sha256").update(content).update(trailerOf(head)).digest();
  return concatBytes(head, u16(issuer.length), issuer, new Uint8Array(hash.subarray(0, 2)));
}

/** A detached signature over content, made at a fixed time: equal content, key and time give equal bytes. */
export function openPgpSign(key: KeyObject, content: Uint8Array, createdSeconds: number): Uint8Array {
  const number = new Uint8Array(sign("sha256", concatBytes(content, trailerOf(headOf(createdSeconds))), key));
  return packet(SIGNATURE_TAG, concatBytes(prefixOf(key, content, createdSeconds), integer(number)));
}

/** Whether a detached signature is exactly what this key makes of the content at that time. */
export function openPgpVerify(key: KeyObject, content: Uint8Array, signature: Uint8Array, createdSeconds: number): boolean {
  const prefix = prefixOf(key, content, createdSeconds);
  const bytes = (publicHalf(key).asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  const number = new Uint8Array(bytes);
  const digits = signature.subarray(3 + prefix.length + 2);
  if (digits.length > bytes) return false;
  number.set(digits, bytes - digits.length);
  const isFormed = Buffer.compare(signature, packet(SIGNATURE_TAG, concatBytes(prefix, integer(number)))) === 0;
  return isFormed && verify("sha256", concatBytes(content, trailerOf(headOf(createdSeconds))), publicHalf(key), number);
}
