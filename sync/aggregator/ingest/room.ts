import type { Clock } from "../../../src/kernel/index.ts";
import type { SpaceLevel } from "../../../src/storage/index.ts";
import type { SyncLane, SyncRefusal } from "../../protocol/index.ts";

/** How long a look at the disk counts, ms. */
const LOOK_MS = 1_000;
/** When a node that was refused for want of room comes again, ms: soon for the whole store, which people watch; later for its own quota. */
const RETRY_MS = { store: 60_000, vital: 600_000, ops: 3_600_000 } as const;

/** The room left on the disk that an aggregator writes to; looked at once a second at most. */
export class StoreRoom {
  readonly #measure: () => SpaceLevel;
  readonly #clock: Clock;
  #level: SpaceLevel = "ample";
  #lookedAtMs = -Infinity;

  constructor(measure: () => SpaceLevel, clock: Clock) {
    this.#measure = measure;
    this.#clock = clock;
  }

  get level(): SpaceLevel {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lookedAtMs >= LOOK_MS) {
      this.#level = this.#measure();
      this.#lookedAtMs = nowMs;
    }
    return this.#level;
  }
}

/**
 * Why a lane's records are not taken at a level of the disk: `ops` first, then all of them, while there is still room for
 * heartbeats, enrolment, the audit and the store's own work.
 */
export function judgeRoom(level: SpaceLevel, lane: SyncLane): SyncRefusal | undefined {
  if (level === "ample" || (level === "low" && lane !== "ops")) return undefined;
  return {
    code: "full",
    detail: `the store's disk is ${level === "low" ? "low, ops waits" : "nearly full"}`,
    retryAfterMs: RETRY_MS.store,
  };
}

/** The answer to records that would go beyond a node's quota. */
export function overQuota(lane: SyncLane, node: string): SyncRefusal {
  const detail = `${node} has used up what it may store of ${lane}; an administrator can raise its quota`;
  return { code: "full", detail, retryAfterMs: lane === "ops" ? RETRY_MS.ops : RETRY_MS.vital };
}
