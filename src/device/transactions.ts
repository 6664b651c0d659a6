import type { Signer } from "../crypto/portable.ts";
import { assert, err, ok, present, type Result, utf8 } from "../kernel/index.ts";
import {
  type AnchorBody,
  type DeviceRegisterBody,
  type DeviceRevokeBody,
  decodePayload,
  decodeTransaction,
  deviceProofBytes,
  encodePayload,
  signTransaction,
  type TransactionBody,
  type TransferBody,
  transactionAad,
} from "../protocol/index.ts";

/** What a sender decides about a transaction beside its body. */
export type SigningTerms = {
  /** Sequence number of the sender's transactions, from 0. */
  readonly nonce: bigint;
  /** Base units, charged whole: to the sender, or to the owner of a sponsored device. */
  readonly fee: bigint;
  /** Last height at which it may execute. */
  readonly validUntil: bigint;
};

/** Bytes that any carrier takes, with the id that names them: SHA-256(external_aad | payload), 32 bytes. */
export type SignedTransaction = { readonly id: Uint8Array; readonly encoded: Uint8Array; readonly nonce: bigint };

/** What an anchor says beside its stream and content. `period` in Unix milliseconds. */
export type AnchorNotes = Pick<AnchorBody, "count" | "period">;

/**
 * Body of an anchor: a reading itself as text or up to 4,096 bytes, or the 32-byte digest of readings kept elsewhere.
 *
 * @param stream 1 to 64 bytes of UTF-8
 */
export function anchorBody(
  stream: string,
  content: string | Uint8Array | { readonly digest: Uint8Array },
  notes: AnchorNotes = {},
): AnchorBody {
  if (typeof content === "string") return { type: 2, stream, content: { data: utf8(content) }, ...notes };
  return { type: 2, stream, content: content instanceof Uint8Array ? { data: content } : content, ...notes };
}

/** Body of a transfer to a 32-byte public key. */
export function transferBody(to: Uint8Array, amount: bigint, memo?: Uint8Array): TransferBody {
  return { type: 1, to, amount, ...(memo && { memo }) };
}

/**
 * The device key's consent to be sponsored by an owner on this chain: 64 bytes, made on the device and given to its owner,
 * whose transaction carries it.
 */
export function consentToOwner(device: Signer, genesisHash: Uint8Array, owner: Uint8Array): Uint8Array {
  return device.sign(deviceProofBytes(genesisHash, device.publicKey, owner));
}

/** Body with which an owner sponsors a device: its anchors are charged to the owner, up to these quotas an hour. */
export function deviceRegisterBody(
  device: Uint8Array,
  consent: Uint8Array,
  quota: { readonly label: string; readonly transactionsPerHour: bigint; readonly bytesPerHour: bigint },
): DeviceRegisterBody {
  return { type: 3, device, proof: consent, ...quota };
}

/** Body with which an owner ends the sponsorship of a device. */
export function deviceRevokeBody(device: Uint8Array): DeviceRevokeBody {
  return { type: 4, device };
}

/** Whether a body lies within docs/transaction.cddl: what passes is not refused as `malformed`. */
export function checkBody(body: TransactionBody): Result<true, "malformed"> {
  const read = decodePayload(encodePayload({ sender: new Uint8Array(32), nonce: 0n, fee: 0n, validUntil: 0n, body }));
  return read.ok ? ok(true) : err("malformed");
}

/** Signs a checked body for a chain into the COSE_Sign1 bytes that are submitted. */
export function signBody(signer: Signer, genesisHash: Uint8Array, terms: SigningTerms, body: TransactionBody): SignedTransaction {
  assert(checkBody(body).ok, "a body is checked before it is signed");
  const aad = transactionAad(genesisHash);
  const { nonce, fee, validUntil } = terms;
  const encoded = signTransaction(signer, aad, { sender: signer.publicKey, nonce, fee, validUntil, body });
  return present(readSigned(genesisHash, encoded), "a transaction that was signed decodes");
}

/** A transaction's id and nonce from its COSE_Sign1 bytes, or undefined when they are none. */
export function readSigned(genesisHash: Uint8Array, encoded: Uint8Array): SignedTransaction | undefined {
  const decoded = decodeTransaction(transactionAad(genesisHash), encoded);
  return decoded.ok ? { id: decoded.value.id, encoded, nonce: decoded.value.nonce } : undefined;
}
