import type { LinkProfile, SyncLane } from "../protocol/index.ts";

/** How an agent spends its uplink. All times in milliseconds. */
export type LinkTuning = {
  /** How long a lane's records wait for company; undefined: they wait until the profile changes. */
  readonly lingerMs: Readonly<Record<SyncLane, number | undefined>>;
  /** Between two words on how the node is. */
  readonly heartbeatMs: number;
  /** How old its figures may become while nothing urgent changes: until then a beat says that it is there. */
  readonly figuresMs: number;
};

/** By link profile. `crit` always travels: it is what a dead box must not take with it. */
export const LINK_TUNINGS: Readonly<Record<LinkProfile, LinkTuning>> = {
  unmetered: { lingerMs: { crit: 250, chain: 2_000, ops: 2_000 }, heartbeatMs: 40_000, figuresMs: 900_000 },
  metered: { lingerMs: { crit: 1_000, chain: 30_000, ops: 60_000 }, heartbeatMs: 300_000, figuresMs: 900_000 },
  emergency: { lingerMs: { crit: 5_000, chain: 600_000, ops: undefined }, heartbeatMs: 900_000, figuresMs: 1_800_000 },
};

/** When a silent link is given up, and how an agent comes back. */
export const LINK_TIMES = {
  /** An answer to a hello. */
  greetingMs: 15_000,
  /** An acknowledgement of the oldest batch. */
  stallMs: 30_000,
  /** First wait after a lost or refused link; doubles, jittered by a half, up to the last. */
  backOffFirstMs: 1_000,
  backOffMaxMs: 300_000,
  /** The longest wait that an aggregator may ask for, between batches or before the next try. */
  waitMaxMs: 3_600_000,
} as const;
