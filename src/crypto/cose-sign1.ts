import { assert, CborReader, CborWriter, err, ok, type Result } from "../kernel/index.ts";
import { SIGNATURE_BYTES } from "./ed25519-rule.ts";
import type { Signer } from "./signer.ts";
import type { CryptoSuite } from "./suite.ts";

/** The one protected header: { 1: -8 }, algorithm EdDSA. */
export const COSE_PROTECTED_HEADER: Uint8Array = Uint8Array.of(0xa1, 0x01, 0x27);

/** How every message starts: tag 18, array of 4, the protected header as a byte string, the empty unprotected map. */
const OPENING = Uint8Array.of(0xd2, 0x84, 0x43, 0xa1, 0x01, 0x27, 0xa0);

/** A COSE_Sign1 taken apart. From `decodeCoseSign1` both are views into the input. */
export interface CoseSign1 {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** The one encoding of a signed payload: #6.18([h'a10127', {}, payload, signature]). The signature has 64 bytes. */
export function encodeCoseSign1(payload: Uint8Array, signature: Uint8Array): Uint8Array {
  assert(signature.length === SIGNATURE_BYTES, "an Ed25519 signature has 64 bytes");
  return new CborWriter(payload.length + 88).raw(OPENING).bytes(payload).bytes(signature).finish();
}

/**
 * Takes a COSE_Sign1 apart, strictly: tagged, the one protected header, no unprotected entry (a `kid` is malformed),
 * shortest lengths, no bytes left over. Says nothing about the signature.
 *
 * @param payloadSizeBytesMax a longer payload is malformed; the input itself bounds it unless told
 * @see RFC 9052 section 4.2; ledger.md, Transaction
 */
export function decodeCoseSign1(bytes: Uint8Array, payloadSizeBytesMax = bytes.length): Result<CoseSign1, "malformed"> {
  const reader = new CborReader(bytes);
  reader.exactly(OPENING);
  const payload = reader.bytes(0, payloadSizeBytesMax);
  const signature = reader.bytes(SIGNATURE_BYTES);
  return reader.isComplete ? ok({ payload, signature }) : err("malformed");
}

/**
 * The bytes a COSE_Sign1 signature covers: ["Signature1", protected header, external_aad, payload].
 *
 * @param externalAad what binds the signature to its context, e.g. tag and chain
 * @param protectedHeader content of the protected header; the project's own unless a foreign message is checked
 * @see RFC 9052 section 4.4
 */
export function sigStructure1(externalAad: Uint8Array, payload: Uint8Array, protectedHeader = COSE_PROTECTED_HEADER): Uint8Array {
  return new CborWriter(payload.length + externalAad.length + protectedHeader.length + 32)
    .array(4)
    .text("Signature1")
    .bytes(protectedHeader)
    .bytes(externalAad)
    .bytes(payload)
    .finish();
}

/** Signs a payload for a context and gives the whole COSE_Sign1. */
export function signCoseSign1(signer: Signer, externalAad: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeCoseSign1(payload, signer.sign(sigStructure1(externalAad, payload)));
}

/** Whether a COSE_Sign1 carries a valid signature by this 32-byte key for this context. */
export function verifyCoseSign1(suite: CryptoSuite, key: Uint8Array, externalAad: Uint8Array, message: CoseSign1): boolean {
  return suite.verify(key, sigStructure1(externalAad, message.payload), message.signature);
}
