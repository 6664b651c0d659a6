import type { LaneRecord } from "../../src/events/index.ts";
import { joinBodies, packRecords, SYNC_LIMITS, type SyncBatch, type SyncCodec } from "../protocol/index.ts";

/** Bytes around the body of each record before compression. */
const FRAME_BYTES = 2;

/**
 * The longest run of records, from the first, that makes one batch: one incarnation, consecutive, within the bounds of
 * the protocol and, but for its first record, within `bytesMax` as packed.
 *
 * @param records of one lane in order, at least one
 */
export function packBatch(
  records: readonly LaneRecord[],
  { session, codec, bytesMax }: { readonly session: Uint8Array; readonly codec: SyncCodec; readonly bytesMax: number },
): SyncBatch | undefined {
  let run = runOf(records);
  const wireMax = Math.min(bytesMax, SYNC_LIMITS.batchWireBytesMax);
  for (;;) {
    const [first] = run;
    const last = run.at(-1);
    if (!first || !last) return undefined;
    const plain = joinBodies(run.map(({ body }) => body));
    const packed = packRecords(plain, codec);
    if (packed.length <= wireMax || run.length === 1) {
      const { lane, epoch, previousHash } = first;
      const place = { lane, epoch, from: first.sequence, to: last.sequence, previousHash, tipHash: last.hash };
      return { session, ...place, codec, plainBytes: plain.length, records: packed };
    }
    run = run.slice(0, Math.max(1, Math.floor((run.length * wireMax) / packed.length)));
  }
}

/** Consecutive records of one incarnation, from the first, that keep within the count and the plain size of a batch. */
function runOf(records: readonly LaneRecord[]): readonly LaneRecord[] {
  const [first] = records;
  let bytes = 0;
  const end = records.findIndex((record, index) => {
    bytes += record.body.length + FRAME_BYTES;
    const follows = record.epoch === first?.epoch && record.sequence === first.sequence + index;
    return !follows || index === SYNC_LIMITS.batchRecordsMax || bytes > SYNC_LIMITS.batchPlainBytesMax;
  });
  return end < 0 ? records : records.slice(0, end);
}
