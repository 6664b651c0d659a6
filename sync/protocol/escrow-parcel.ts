import { DOMAIN_TAGS, type Signer } from "../../src/crypto/index.ts";
import { type CborReader, CborWriter, concatBytes, err, type Result } from "../../src/kernel/index.ts";
import { readChoice, readEpoch, readMessage, readNode } from "./fields.ts";
import type { VerifySignature } from "./hello.ts";
import { SYNC_LIMITS } from "./limits.ts";
import { SYNC_CODECS, type SyncBatch } from "./types.ts";

/**
 * Records of a node's vital lane in the hands of others: a batch that says by itself whose it is, so that whoever holds it
 * can prove it to an aggregator when the node is gone.
 */
export type EscrowParcel = Omit<SyncBatch, "session" | "lane"> & {
  readonly node: string;
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  /** The key that signed it, 32 bytes: the node's identity. */
  readonly identityKey: Uint8Array;
};

/** Why bytes are no parcel. */
export type ParcelFault = "malformed" | "badSignature";

/**
 * Encodes and signs a parcel: [body bytes, signature over tag | body bytes]. The signature covers the records as they
 * travel, so a holder can change nothing, not even how they are packed.
 */
export function encodeParcel(parcel: EscrowParcel, identity: Signer): Uint8Array {
  const body = encodeBody(parcel);
  const signature = identity.sign(concatBytes(DOMAIN_TAGS.syncEscrow, body));
  return new CborWriter(body.length + 96).array(2).bytes(body).bytes(signature).finish();
}

/**
 * Reads a parcel and verifies its signature. Counts and sizes are within their bounds; that the records hash to what it
 * says, and that its key is its node's, are further questions.
 *
 * Errors: `malformed`, `badSignature`.
 */
export function decodeParcel(bytes: Uint8Array, verify: VerifySignature): Result<EscrowParcel, ParcelFault> {
  if (bytes.length > SYNC_LIMITS.parcelBytesMax) return err("malformed");
  const outer = readMessage(bytes, (r) => {
    if (r.array(2) !== 2) r.reject();
    return { body: r.bytes(1, SYNC_LIMITS.parcelBytesMax), signature: r.bytes(64) };
  });
  if (!outer.ok) return outer;
  const { body, signature } = outer.value;
  const parcel = readMessage(body, readBody);
  if (!parcel.ok) return parcel;
  return verify(parcel.value.identityKey, concatBytes(DOMAIN_TAGS.syncEscrow, body), signature) ? parcel : err("badSignature");
}

function encodeBody(parcel: EscrowParcel): Uint8Array {
  const w = new CborWriter(parcel.records.length + 512).array(12).text(parcel.node).bytes(parcel.network).bytes(parcel.identityKey);
  w.uint(parcel.epoch).uint(parcel.from).uint(parcel.to).bytes(parcel.previousHash).bytes(parcel.tipHash);
  w.uint(SYNC_CODECS.indexOf(parcel.codec)).uint(parcel.plainBytes).bytes(parcel.records);
  return w.text(parcel.checkpoint ?? "").finish();
}

function readBody(r: CborReader): EscrowParcel {
  if (r.array(12) !== 12) r.reject();
  const origin = { node: readNode(r), network: r.bytes(32), identityKey: r.bytes(32) };
  const place = { epoch: readEpoch(r), from: r.uint(), to: r.uint() };
  if (place.from === 0 || place.to < place.from || place.to - place.from >= SYNC_LIMITS.batchRecordsMax) r.reject();
  const links = { previousHash: r.bytes(32), tipHash: r.bytes(32) };
  const codec = readChoice(r, SYNC_CODECS, 0);
  const plainBytes = r.uint(SYNC_LIMITS.batchPlainBytesMax);
  const records = r.bytes(1, SYNC_LIMITS.parcelBytesMax);
  const checkpoint = r.text(0, SYNC_LIMITS.noteBytesMax);
  return { ...origin, ...place, ...links, codec, plainBytes, records, ...(checkpoint === "" ? {} : { checkpoint }) };
}

/** What an agent hands to its aggregator for another node: the session that it speaks in, and the parcel as it was signed. */
export type EscrowOffer = { readonly session: Uint8Array; readonly parcel: Uint8Array };

/** Encodes an offer: [session, parcel]. */
export function encodeOffer({ session, parcel }: EscrowOffer): Uint8Array {
  return new CborWriter(parcel.length + 32).array(2).bytes(session).bytes(parcel).finish();
}

/** Reads what `encodeOffer` writes. */
export function decodeOffer(bytes: Uint8Array): Result<EscrowOffer, "malformed"> {
  return readMessage(bytes, (r): EscrowOffer => {
    if (r.array(2) !== 2) r.reject();
    return { session: r.bytes(16), parcel: r.bytes(1, SYNC_LIMITS.parcelBytesMax) };
  });
}
