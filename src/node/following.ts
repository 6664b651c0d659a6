import type { Clock } from "../kernel/index.ts";

/** Blocks that a follower may be behind and still count as level: as many as a validator may and still vote (R13). */
const BEHIND_MAX = 8;
/** A follower that falls further behind, under load say, is not ready once that lasts so long. */
const BEHIND_MS = 10_000;
/** Idle intervals without a block after which what a follower serves is no longer the chain's state. */
const INTERVALS_MAX = 3;

/** What a follower knows at a moment. */
export type FollowerSample = {
  readonly height: number;
  /** More is known to be final than it has, by more than a few blocks (R13). */
  readonly isLagging: boolean;
  readonly peerCount: number;
  /** The highest block that a peer has proven final; undefined while none has. */
  readonly provenHeight: number | undefined;
};

/**
 * Whether a node that is in no set serves what the chain holds. It takes no transactions by its nature, so for it being ready
 * means being level: since its start at least once, and since then never for more than ten seconds not; and blocks must come
 * at least as often as an idle chain makes them. It goes by the monotonic clock, for a box may not know the time.
 */
export class Following {
  readonly #clock: Clock;
  readonly #heartbeatMs: number;
  #levelAtMs: number | undefined;
  #height = -1;
  #grownAtMs: number;

  /** @param heartbeatMs longest interval between blocks of an idle chain */
  constructor(clock: Clock, heartbeatMs: number) {
    this.#clock = clock;
    this.#heartbeatMs = heartbeatMs;
    this.#grownAtMs = clock.monotonicMs();
  }

  /** Takes note of where the node stands: with each block, and whenever somebody asks. */
  observe({ height, isLagging, peerCount, provenHeight = 0 }: FollowerSample): void {
    const nowMs = this.#clock.monotonicMs();
    if (height !== this.#height) this.#grownAtMs = nowMs;
    this.#height = height;
    if (peerCount > 0 && !isLagging && provenHeight <= height + BEHIND_MAX) this.#levelAtMs = nowMs;
  }

  /** Why the node is not ready after what was observed last; undefined when it is. */
  get obstacle(): string | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (this.#levelAtMs === undefined) return "this node follows the chain and has not been level with a peer since its start";
    const behindMs = nowMs - this.#levelAtMs;
    if (behindMs > BEHIND_MS)
      return `this node follows the chain and has been more than ${BEHIND_MAX} blocks behind for ${seconds(behindMs)}, or without a peer`;
    const quietMs = nowMs - this.#grownAtMs;
    if (quietMs <= INTERVALS_MAX * this.#heartbeatMs) return undefined;
    return `no block came for ${seconds(quietMs)}, and an idle chain makes one each ${seconds(this.#heartbeatMs)}`;
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
