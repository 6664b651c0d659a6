/** Bounds of the interface; the configuration's `http` section is one. */
export type GatewayLimits = {
  /** Bytes of a request body. */
  readonly bodyBytesMax: number;
  readonly transactionsPerRequestMax: number;
  readonly requestsInFlightMax: number;
  /** Time to answer, waiting for finality aside. */
  readonly requestDeadlineMs: number;
  /** Requests waiting for finality at the same time. */
  readonly waitsMax: number;
  readonly waitMsMax: number;
  /** Event streams open at the same time. */
  readonly streamsMax: number;
  readonly streamHeartbeatMs: number;
  /** How long a stream's reader may take nothing. */
  readonly streamStallMs: number;
  /** Requests a second and at once from one address; 0 a second: no limit. */
  readonly ratePerSecond: number;
  readonly rateBurst: number;
  /** Requests a second from this machine itself; 0: no limit. */
  readonly rateLoopbackPerSecond: number;
  /** How long running requests get at shutdown. */
  readonly shutdownDeadlineMs: number;
};

/** Bodies of the longest kind that all requests together may hold in memory. */
export const FULL_BODIES_MAX = 16;
/** Characters of a request's path and query. */
export const URL_LENGTH_MAX = 4_096;
/** Blocks in one page. */
export const BLOCKS_PER_PAGE_MAX = 100;
/** Events in one page. */
export const EVENTS_PER_PAGE_MAX = 1_000;
/** Wait for finality when a request gives no timeout. */
export const WAIT_MS_DEFAULT = 30_000;
