import { assert } from "../kernel/index.ts";
import { type SignatureClaim, verifyEd25519 } from "./ed25519.ts";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "./ed25519-rule.ts";

/** A claim in a parcel: length of the message (u32, little-endian), key, signature, message. */
const LENGTH_BYTES = 4;
const HEAD_BYTES = LENGTH_BYTES + PUBLIC_KEY_BYTES + SIGNATURE_BYTES;

/** Whether key and signature have the lengths that a parcel holds; a claim of other lengths is verdict false anyway. */
export function isPackable({ key, signature }: SignatureClaim): boolean {
  return key.length === PUBLIC_KEY_BYTES && signature.length === SIGNATURE_BYTES;
}

/**
 * Many claims as one array, which goes to another thread as cheaply as one of them: a message between threads costs by
 * its count, hardly by its bytes.
 *
 * @param claims each of them packable
 */
export function packClaims(claims: readonly SignatureClaim[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { message } of claims) size += HEAD_BYTES + message.length;
  const parcel = new Uint8Array(size);
  const lengths = new DataView(parcel.buffer);
  let at = 0;
  for (const { key, message, signature } of claims) {
    lengths.setUint32(at, message.length, true);
    parcel.set(key, at + LENGTH_BYTES);
    parcel.set(signature, at + LENGTH_BYTES + PUBLIC_KEY_BYTES);
    parcel.set(message, at + HEAD_BYTES);
    at += HEAD_BYTES + message.length;
  }
  assert(at === size, "a parcel is filled to its end");
  return parcel;
}

/** The verdicts on the claims of a parcel, by the one rule, on the calling thread: a byte each, 1 for a good signature. */
export function verifyParcel(parcel: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const lengths = new DataView(parcel.buffer, parcel.byteOffset, parcel.length);
  const verdicts: number[] = [];
  for (let at = 0; at < parcel.length; ) {
    const end = at + HEAD_BYTES + lengths.getUint32(at, true);
    assert(end <= parcel.length, "a parcel holds whole claims");
    const key = parcel.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + PUBLIC_KEY_BYTES);
    const signature = parcel.subarray(at + LENGTH_BYTES + PUBLIC_KEY_BYTES, at + HEAD_BYTES);
    verdicts.push(verifyEd25519(key, parcel.subarray(at + HEAD_BYTES, end), signature) ? 1 : 0);
    at = end;
  }
  return Uint8Array.from(verdicts);
}
