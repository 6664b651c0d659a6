import { DOMAIN_TAGS, decodeCoseSign1, type Signer, sha256, signCoseSign1, sigStructure1 } from "../crypto/portable.ts";
import { assert, CborReader, CborWriter, concatBytes, err, ok, type Result, u64be } from "../kernel/index.ts";
import { LIMITS } from "./limits.ts";
import { readBody, type TransactionBody, writeBody } from "./transaction-body.ts";

/** What is signed: a type's body with who pays, in which order, how much and until when. */
export type TransactionPayload = {
  /** Ed25519 public key, 32 bytes. */
  readonly sender: Uint8Array;
  /** Sequence number of the sender's transactions, from 0. */
  readonly nonce: bigint;
  /** Base units, charged whole. */
  readonly fee: bigint;
  /** Last height at which it may execute. */
  readonly validUntil: bigint;
  readonly body: TransactionBody;
};

/** A decoded transaction; its signature is not checked by decoding. */
export type Transaction = TransactionPayload & {
  /** SHA-256 of external_aad | payload content, 32 bytes; does not cover the signature. */
  readonly id: Uint8Array;
  /** The whole COSE_Sign1 as received. */
  readonly encoded: Uint8Array;
  /** The payload content as received. */
  readonly payload: Uint8Array;
  /** 64 bytes. */
  readonly signature: Uint8Array;
};

/** external_aad of every transaction of a chain: "bizra/tx/1" | genesisHash. Binds the signature and the id to the chain. */
export function transactionAad(genesisHash: Uint8Array): Uint8Array {
  assert(genesisHash.length === 32, "a genesis hash has 32 bytes");
  return concatBytes(DOMAIN_TAGS.transaction, genesisHash);
}

/** Canonical encoding of a payload: map { 1 type, 2 sender, 3 nonce, 4 fee, 5 validUntil, 6 body }. */
export function encodePayload(payload: TransactionPayload): Uint8Array {
  const w = new CborWriter(256).map(6).uint(1).uint(payload.body.type).uint(2).bytes(payload.sender);
  w.uint(3).uint(payload.nonce).uint(4).uint(payload.fee).uint(5).uint(payload.validUntil).uint(6);
  writeBody(w, payload.body);
  return w.finish();
}

/** Reads what `encodePayload` writes. */
export function decodePayload(bytes: Uint8Array): Result<TransactionPayload, "malformed"> {
  const r = new CborReader(bytes);
  if (r.map(6) !== 6) r.reject();
  r.key(1);
  const type = r.uint(14);
  r.key(2);
  const sender = r.bytes(32);
  r.key(3);
  const nonce = r.uint64();
  r.key(4);
  const fee = r.uint64();
  r.key(5);
  const validUntil = r.uint64();
  r.key(6);
  const body = readBody(type, r);
  return r.isComplete ? ok({ sender, nonce, fee, validUntil, body }) : err("malformed");
}

/**
 * Decodes one COSE_Sign1 transaction strictly; the signature is not checked. Views into `encoded` are kept, so the
 * caller must not change it.
 *
 * Errors: `tooLarge` beyond LIMITS.transactionBytesMax, `malformed` for anything outside docs/transaction.cddl.
 */
export function decodeTransaction(aad: Uint8Array, encoded: Uint8Array): Result<Transaction, "malformed" | "tooLarge"> {
  if (encoded.length > LIMITS.transactionBytesMax) return err("tooLarge");
  const envelope = decodeCoseSign1(encoded);
  if (!envelope.ok) return envelope;
  const payload = decodePayload(envelope.value.payload);
  if (!payload.ok) return payload;
  const { sender, nonce, fee, validUntil, body } = payload.value;
  const id = sha256(aad, envelope.value.payload);
  return ok({ id, sender, nonce, fee, validUntil, body, encoded, payload: envelope.value.payload, signature: envelope.value.signature });
}

/** The bytes a transaction's signature covers: Sig_structure1 of RFC 9052 section 4.4. */
export function transactionSignBytes(aad: Uint8Array, payload: Uint8Array): Uint8Array {
  return sigStructure1(aad, payload);
}

/** Signs a payload into a COSE_Sign1 for the chain of this `aad`. */
export function signTransaction(signer: Signer, aad: Uint8Array, payload: TransactionPayload): Uint8Array {
  const encoded = signCoseSign1(signer, aad, encodePayload(payload));
  assert(encoded.length <= LIMITS.transactionBytesMax, "a transaction that fits its grammar fits its bound");
  return encoded;
}

/** Bytes a device signs to consent to its sponsor: tag | genesisHash | device key | owner key. */
export function deviceProofBytes(genesisHash: Uint8Array, device: Uint8Array, owner: Uint8Array): Uint8Array {
  return concatBytes(DOMAIN_TAGS.deviceProof, genesisHash, device, owner);
}

/**
 * Bytes a validator's signing key signs to prove that its box holds it: tag | genesisHash | owner key | validator id |
 * the key | u64 term. The first key is its validator's id and has term 0.
 */
export function validatorKeyProofBytes(
  genesisHash: Uint8Array,
  owner: Uint8Array,
  validator: Uint8Array,
  signingKey: Uint8Array,
  term: number,
): Uint8Array {
  return concatBytes(DOMAIN_TAGS.validatorKey, genesisHash, owner, validator, signingKey, u64be(term));
}
