import { DOMAIN_TAGS, sha256 } from "../crypto/portable.ts";
import { assert, bytesEqual, err, ok, type Result, u64be } from "../kernel/index.ts";
import { decodeBody, encodeBody, encodePayload } from "./event-codec.ts";
import type { Event } from "./event-schemas.ts";
import { LANE_NUMBER, type Lane, type LaneCursor, type LaneFault, type LaneRecord, type LaneTip, type StoredRecord } from "./types.ts";

/**
 * Hash of a record: SHA-256(tag | lane u8 | epoch u64 | sequence u64 | previousHash 32 | body), integers big-endian.
 *
 * @see docs/events.cddl
 */
function recordHashOf(lane: Lane, epoch: number, sequence: number, previousHash: Uint8Array, body: Uint8Array): Uint8Array {
  assert(previousHash.length === 32, "a record links to a hash of 32 bytes");
  const tag = DOMAIN_TAGS.event;
  // Laid out by hand: an aggregator does this for every record of a fleet, and joining parts costs more than hashing them.
  const covered = new Uint8Array(tag.length + HEAD_BYTES + body.length);
  covered.set(tag);
  covered[tag.length] = LANE_NUMBER[lane];
  covered.set(u64be(epoch), tag.length + 1);
  covered.set(u64be(sequence), tag.length + 9);
  covered.set(previousHash, tag.length + 17);
  covered.set(body, tag.length + HEAD_BYTES);
  return sha256(covered);
}

/** Bytes between the tag and the body in what a record's hash covers. */
const HEAD_BYTES = 1 + 8 + 8 + 32;

/** Chains an event after the tip: the next sequence in the same incarnation. */
export function sealRecord(lane: Lane, tip: LaneTip, timeMs: number, event: Event): LaneRecord {
  const payload = encodePayload(event);
  const body = encodeBody(timeMs, event.type, payload);
  const sequence = tip.sequence + 1;
  const hash = recordHashOf(lane, tip.epoch, sequence, tip.hash, body);
  return { lane, epoch: tip.epoch, sequence, previousHash: tip.hash, timeMs, type: event.type, payload, body, hash };
}

/** The tip that a record makes. */
export function tipOf(record: StoredRecord): LaneTip {
  return { epoch: record.epoch, sequence: record.sequence, hash: record.hash };
}

/**
 * Turns stored records, in order, into records, checking that each follows the one before and hashes to what is stored.
 * The first fault ends it.
 *
 * @param previous what the first of them must follow
 */
export function openRecords(lane: Lane, previous: LaneTip, stored: Iterable<StoredRecord>): Result<readonly LaneRecord[], LaneFault> {
  const records: LaneRecord[] = [];
  let tip = previous;
  for (const item of stored) {
    const record = openRecord(lane, tip, item);
    if (!record.ok) return record;
    records.push(record.value);
    tip = item;
  }
  return ok(records);
}

/** Checks one stored record against the tip before it. */
export function openRecord(lane: Lane, tip: LaneTip, stored: StoredRecord): Result<LaneRecord, LaneFault> {
  const { epoch, sequence, body, hash } = stored;
  const fault = (detail: string) => err({ lane, epoch, sequence, kind: "changed" as const, detail });
  // A later incarnation may leave numbers out: others may know some that a restored box has forgotten. Its hash links all the same.
  const isNext = epoch === tip.epoch ? sequence === tip.sequence + 1 : epoch > tip.epoch && sequence === 1;
  if (!isNext) {
    const detail = `is missing: ${tip.epoch}/${tip.sequence} is followed by ${epoch}/${sequence}`;
    return err({ lane, epoch: tip.epoch, sequence: tip.sequence + 1, kind: "missing", detail });
  }
  if (!bytesEqual(recordHashOf(lane, epoch, sequence, tip.hash, body), hash)) {
    return fault("its hash does not follow from its content and the record before it");
  }
  const decoded = decodeBody(body);
  if (!decoded.ok) return fault("its body is no record");
  return ok({ lane, epoch, sequence, previousHash: tip.hash, ...decoded.value, body, hash });
}

/**
 * Records made again from their bodies alone, as another party received them: consecutive from `first`, in one
 * incarnation. Their hashes are computed; whether the last one is what it should be is for the caller to compare.
 *
 * Errors: `malformed` when a body is no record.
 */
export function linkBodies(
  lane: Lane,
  first: LaneCursor,
  previousHash: Uint8Array,
  bodies: readonly Uint8Array[],
): Result<readonly LaneRecord[], "malformed"> {
  const records: LaneRecord[] = [];
  let previous = previousHash;
  for (const [index, body] of bodies.entries()) {
    const decoded = decodeBody(body);
    if (!decoded.ok) return decoded;
    const sequence = first.sequence + index;
    const hash = recordHashOf(lane, first.epoch, sequence, previous, body);
    records.push({ lane, epoch: first.epoch, sequence, previousHash: previous, ...decoded.value, body, hash });
    previous = hash;
  }
  return ok(records);
}
