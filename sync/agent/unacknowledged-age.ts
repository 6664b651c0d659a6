import { SYNC_LANES, type SyncLane } from "../protocol/index.ts";
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

  /** The age in ms, 0 when everything is acknowledged; a clock that stands before an event's time makes no negative age. */
  at(nowMs: number, acknowledged: (lane: SyncLane) => Place | undefined): number {
    const times = SYNC_LANES.flatMap((lane) => this.#oldest(lane, acknowledged(lane) ?? START) ?? []);
    return Math.max(0, nowMs - Math.min(nowMs, ...times));
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
