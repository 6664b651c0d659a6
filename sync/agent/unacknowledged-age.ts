import type { SyncLane } from "../protocol/index.ts";
import type { EventSource } from "./ports.ts";
import { isAfter, type Place } from "./types.ts";

const START: Place = { epoch: 0, sequence: 0 };

/** The live RPO: how old the oldest event is that nobody has acknowledged. Reads a record only when its place has moved. */
export class UnacknowledgedAge {
  readonly #source: EventSource;
  /** For each lane: after which place the record was looked for, and its time. */
  readonly #found = new Map<SyncLane, { readonly after: Place; readonly timeMs: number | undefined }>();

  constructor(source: EventSource) {
    this.#source = source;
  }

  /**
   * The age in ms of a lane's oldest event after what is acknowledged of it, 0 when there is none; a clock that stands before
   * an event's time makes no negative age.
   */
  ofLane(lane: SyncLane, nowMs: number, acknowledged: Place | undefined): number {
    const timeMs = this.#oldest(lane, acknowledged ?? START);
    return timeMs === undefined ? 0 : Math.max(0, nowMs - timeMs);
  }

  #oldest(lane: SyncLane, after: Place): number | undefined {
    if (!isAfter(this.#source.tip(lane), after)) return undefined;
    const known = this.#found.get(lane);
    if (known?.timeMs !== undefined && known.after.epoch === after.epoch && known.after.sequence === after.sequence) return known.timeMs;
    const read = this.#source.read(lane, after, 1);
    const timeMs = read.ok ? read.value[0]?.timeMs : undefined;
    this.#found.set(lane, { after: { epoch: after.epoch, sequence: after.sequence }, timeMs });
    return timeMs;
  }
}
