import { utf8 } from "../../src/kernel/index.ts";
import type { SyncLane } from "../protocol/index.ts";
import type { Appendage } from "./types.ts";

/** What one node may keep at an aggregator, in bytes. */
export type StorageQuota = {
  /** For its records: `ops` ends here, the other lanes where `laneLimitBytes` says. */
  readonly eventBytes: number;
  /** For its objects. */
  readonly objectBytes: number;
};

const GIB = 1_024 ** 3;

/**
 * What holds when nobody says otherwise: eight years of an event a second, and some forty backups of a state of 800 MB.
 */
export const DEFAULT_QUOTA: StorageQuota = { eventBytes: 64 * GIB, objectBytes: 32 * GIB };

/** What a quota may be set to, in bytes. */
export const QUOTA_BYTES = { min: 1_024 ** 2, max: 2 ** 50 } as const;

/** Beside its body a record takes a hash of 32 bytes, its key, and what a row and its place in an index cost: counted as this. */
const ROW_BYTES = 160;
/** A body beyond so much goes on in pages of its own (SQLite), and is counted in whole ones. */
const PAGED = { fromBytes: 900, rowBytes: 512, pageBytes: 4_096 } as const;
/** A small object is a name to list and a file all the same: counted as this, so that they stay few enough to be counted. */
const OBJECT_BYTES_MIN = 262_144;

/** Quarters of the quota at which each lane ends. */
const LANE_QUARTERS = { ops: 4, chain: 5, crit: 6 } as const satisfies Record<SyncLane, number>;

/**
 * Where a lane ends, in bytes of all the node's records: `ops` at the quota, `chain` a quarter later, `crit`, which is the least and
 * matters most, another quarter later. So no lane takes the room of what is more vital, and an enrolled node is bounded whatever it sends.
 */
export function laneLimitBytes(lane: SyncLane, quotaBytes: number): number {
  return Math.floor((quotaBytes * LANE_QUARTERS[lane]) / 4);
}

/** What records and their checkpoint are counted as. */
export function appendageBytes({ events, checkpoint }: Pick<Appendage, "events" | "checkpoint">): number {
  const records = events.reduce((sum, { body }) => sum + rowBytes(body.length), 0);
  return records + (checkpoint ? rowBytes(utf8(checkpoint.note).length) : 0);
}

function rowBytes(length: number): number {
  const { fromBytes, rowBytes: own, pageBytes } = PAGED;
  return ROW_BYTES + (length <= fromBytes ? length : own + Math.ceil(length / pageBytes) * pageBytes);
}

/** What an object is counted as. */
export function objectBytes(sizeBytes: number): number {
  return Math.max(OBJECT_BYTES_MIN, sizeBytes);
}
