import { CborReader, type CborWriter, err, ok, type Result } from "../../src/kernel/index.ts";
import { SYNC_LIMITS } from "./limits.ts";
import { SYNC_LANE_NUMBER, SYNC_LANES, type SyncCursor, type SyncLane } from "./types.ts";

/** Writes a lane as its number. */
export function writeLane(w: CborWriter, lane: SyncLane): CborWriter {
  return w.uint(SYNC_LANE_NUMBER[lane]);
}

/** Reads what `writeLane` writes. */
export function readLane(r: CborReader): SyncLane {
  return readChoice(r, SYNC_LANES, 1);
}

/** Reads the number of one of some choices, counted from `first`; an unknown one is rejected. */
export function readChoice<T>(r: CborReader, choices: readonly [T, ...T[]], first: number): T {
  const choice = choices[r.uint(255) - first];
  if (choice === undefined) r.reject();
  return choice ?? choices[0];
}

/** Writes [lane, epoch, sequence, hash]. */
export function writeCursor(w: CborWriter, cursor: SyncCursor): CborWriter {
  return writeLane(w.array(4), cursor.lane).uint(cursor.epoch).uint(cursor.sequence).bytes(cursor.hash);
}

/** Reads what `writeCursor` writes. */
export function readCursor(r: CborReader): SyncCursor {
  if (r.array(4) !== 4) r.reject();
  return { lane: readLane(r), epoch: readEpoch(r), sequence: r.uint(), hash: r.bytes(32) };
}

/** An incarnation, from 1. */
export function readEpoch(r: CborReader): number {
  const epoch = r.uint();
  if (epoch === 0) r.reject();
  return epoch;
}

/** A node's name: 1-64 of A-Z a-z 0-9 _ -. */
export function readNode(r: CborReader): string {
  const node = r.text(1, SYNC_LIMITS.nameBytesMax);
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(node)) r.reject();
  return node;
}

/** An optional byte string, absent as an empty one. */
export function readOptionalBytes(r: CborReader, length: number): Uint8Array | undefined {
  const bytes = r.bytes(0, length);
  if (bytes.length !== 0 && bytes.length !== length) r.reject();
  return bytes.length === 0 ? undefined : bytes;
}

/** Reads a whole message with a reader of its parts: nothing missing, nothing left over, never larger than a message may be. */
export function readMessage<T>(bytes: Uint8Array, read: (r: CborReader) => T): Result<T, "malformed"> {
  if (bytes.length > SYNC_LIMITS.messageBytesMax) return err("malformed");
  const r = new CborReader(bytes);
  const value = read(r);
  return r.isComplete ? ok(value) : err("malformed");
}
