import type { LaneExtent, SyncLane } from "../protocol/index.ts";
import type { EventSource } from "./ports.ts";

/** What the node holds of a lane's present incarnation. */
export function extentOf(source: EventSource, lane: SyncLane): LaneExtent {
  const { epoch, sequence, hash } = source.tip(lane);
  const read = source.read(lane, { epoch, sequence: 0 }, 1);
  const first = read.ok ? read.value[0]?.sequence : undefined;
  return { lane, epoch, first: first ?? sequence + 1, last: sequence, tipHash: hash };
}
