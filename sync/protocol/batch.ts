import { DOMAIN_TAGS, type Signer } from "../../src/crypto/index.ts";
import { CborWriter, concatBytes, type Result } from "../../src/kernel/index.ts";
import { readChoice, readCursor, readEpoch, readLane, readMessage, writeCursor, writeLane } from "./fields.ts";
import type { VerifySignature } from "./hello.ts";
import { SYNC_LIMITS } from "./limits.ts";
import { SYNC_CODECS, type SyncAck, type SyncBatch, type SyncCursor } from "./types.ts";

/** Encodes a batch: [session, lane, epoch, from, to, previousHash, tipHash, codec, plainBytes, records, checkpoint]. */
export function encodeBatch(batch: SyncBatch): Uint8Array {
  const w = writeLane(new CborWriter(batch.records.length + 512).array(11).bytes(batch.session), batch.lane);
  w.uint(batch.epoch).uint(batch.from).uint(batch.to).bytes(batch.previousHash).bytes(batch.tipHash);
  w.uint(SYNC_CODECS.indexOf(batch.codec)).uint(batch.plainBytes).bytes(batch.records);
  return w.text(batch.checkpoint ?? "").finish();
}

/** Reads what `encodeBatch` writes. Counts and sizes are within their bounds; the records are as they came, packed. */
export function decodeBatch(bytes: Uint8Array): Result<SyncBatch, "malformed"> {
  return readMessage(bytes, (r): SyncBatch => {
    if (r.array(11) !== 11) r.reject();
    const session = r.bytes(16);
    const place = { lane: readLane(r), epoch: readEpoch(r), from: r.uint(), to: r.uint() };
    if (place.from === 0 || place.to < place.from || place.to - place.from >= SYNC_LIMITS.batchRecordsMax) r.reject();
    const links = { previousHash: r.bytes(32), tipHash: r.bytes(32) };
    const codec = readChoice(r, SYNC_CODECS, 0);
    const plainBytes = r.uint(SYNC_LIMITS.batchPlainBytesMax);
    const records = r.bytes(1, SYNC_LIMITS.batchWireBytesMax);
    const checkpoint = r.text(0, SYNC_LIMITS.noteBytesMax);
    return { session, ...place, ...links, codec, plainBytes, records, ...(checkpoint === "" ? {} : { checkpoint }) };
  });
}

/** What a witness signs: tag | network | node's identity key | [cursor, timeMs]. */
function witnessStatement(network: Uint8Array, identityKey: Uint8Array, cursor: SyncCursor, timeMs: number): Uint8Array {
  const claim = writeCursor(new CborWriter(96).array(2), cursor).uint(timeMs).finish();
  return concatBytes(DOMAIN_TAGS.syncWitness, network, identityKey, claim);
}

/** Signs that a lane of a node is durable up to a place. */
export function signWitness(witness: Signer, network: Uint8Array, identityKey: Uint8Array, cursor: SyncCursor, timeMs: number): Uint8Array {
  return witness.sign(witnessStatement(network, identityKey, cursor, timeMs));
}

/** Whether an acknowledgement is the witness's word on this node's lane. */
export function isWitnessed(
  ack: SyncAck,
  parties: { readonly witnessKey: Uint8Array; readonly network: Uint8Array; readonly identityKey: Uint8Array },
  verify: VerifySignature,
): boolean {
  return verify(parties.witnessKey, witnessStatement(parties.network, parties.identityKey, ack, ack.timeMs), ack.witness);
}

/** Encodes an acknowledgement: [cursor, timeMs, creditBytes, intervalMs, witness]. */
export function encodeAck(ack: SyncAck): Uint8Array {
  const w = writeCursor(new CborWriter(192).array(5), ack).uint(ack.timeMs);
  return w.uint(ack.creditBytes).uint(ack.intervalMs).bytes(ack.witness).finish();
}

/** Reads what `encodeAck` writes. */
export function decodeAck(bytes: Uint8Array): Result<SyncAck, "malformed"> {
  return readMessage(bytes, (r): SyncAck => {
    if (r.array(5) !== 5) r.reject();
    const cursor = readCursor(r);
    return { ...cursor, timeMs: r.uint(), creditBytes: r.uint(), intervalMs: r.uint(), witness: r.bytes(64) };
  });
}
