import { bytesEqual } from "../../src/kernel/index.ts";
import type { SyncAck, SyncBatch, SyncCursor } from "../protocol/index.ts";
import type { EventSource, KeptAck } from "./ports.ts";
import { type CursorVerdict, isAfter } from "./types.ts";

/**
 * How an aggregator's cursor compares with the node's own lane, by the hash that stands there.
 *
 * Where the node has let the record go it cannot tell by itself: what the aggregator acknowledged before is then the
 * proof, and without it the lane goes on behind the gap.
 *
 * @param kept the last acknowledgement of this lane that the aggregator signed
 */
export function judgeCursor(source: EventSource, cursor: SyncCursor, kept: KeptAck | undefined): CursorVerdict {
  const { lane, epoch, sequence, hash } = cursor;
  const tip = source.tip(lane);
  if (isAfter(cursor, tip)) return "ahead";
  if (sequence === 0) return "same";
  if (epoch === tip.epoch && sequence === tip.sequence) return bytesEqual(tip.hash, hash) ? "same" : "fork";
  const read = source.read(lane, { epoch, sequence: sequence - 1 }, 1);
  const found = read.ok ? read.value[0] : undefined;
  if (found?.epoch === epoch && found.sequence === sequence) return bytesEqual(found.hash, hash) ? "same" : "fork";
  if (kept?.epoch === epoch && kept.sequence === sequence) return bytesEqual(kept.hash, hash) ? "same" : "fork";
  // An incarnation that ended before this place: what follows it here is another history.
  return found && found.epoch > epoch && found.sequence === 1 ? "fork" : "same";
}

/** Why a witnessed acknowledgement of a batch cannot be of this node's records; undefined when it can. */
export function findLie(
  ack: SyncAck,
  batch: Pick<SyncBatch, "lane" | "epoch" | "to" | "tipHash">,
  source: EventSource,
): string | undefined {
  if (ack.lane !== batch.lane) return "an acknowledgement of another lane";
  const isOfBatch = ack.epoch === batch.epoch && ack.sequence === batch.to;
  const isOurs = isOfBatch ? bytesEqual(ack.hash, batch.tipHash) : judgeCursor(source, ack, undefined) === "same";
  return isOurs ? undefined : "an acknowledgement of records that are not ours";
}
