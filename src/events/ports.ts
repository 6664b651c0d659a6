import type { Checkpoint } from "./checkpoint.ts";
import type { Lane, LaneCursor, LaneTip, StoredRecord } from "./types.ts";

/** A page of a lane: stored records in order, and the place that the first of them links to. */
export type LanePage = { readonly previous: LaneTip; readonly records: readonly StoredRecord[] };

/**
 * A lane as it lies on disk. `crit` and `ops` have tables of their own; the chain lane lies in the rows of the blocks it
 * reports, so that both are one durable commit.
 */
export interface LaneReader {
  /** The last record, or undefined for an empty lane. Damage throws. */
  last(): StoredRecord | undefined;
  /**
   * Up to `limit` records after a place, oldest first, across incarnations. Where records were let go, the page begins
   * after the gap and `previous` is the gap's end. Damage throws.
   */
  read(after: LaneCursor, limit: number): LanePage;
}

/** A lane with a table of its own. */
export interface LaneStore extends LaneReader {
  /** Adds records that follow the last one, in one commit. */
  append(records: readonly StoredRecord[]): void;
  /** Lets the oldest records go, through this place, remembering the hash of the last of them, and adds the record that says so. */
  release(through: LaneTip, announcement: StoredRecord): void;
  /** The first record that is still there. */
  first(): StoredRecord | undefined;
  /** Bytes of pages in use. */
  usedBytes(): number;
  /** Makes everything appended durable (a lane that is not synced at every commit). */
  sync(): void;
}

/** The vital lane: each append is durable when it returns. */
export interface CritStore extends LaneStore {
  /** How far a source outside this file has been carried into the lane; undefined before its first record. */
  cursor(source: string): number | undefined;
  /** Adds a record together with its source's position, in one commit. */
  appendFrom(source: string, position: number, record: StoredRecord): void;
}

/** Where the last checkpoint of each lane is kept. */
export interface CheckpointStore {
  /** The last checkpoint of a lane. */
  find(lane: Lane): Checkpoint | undefined;
  /** Replaces the last checkpoints of their lanes, in one durable commit. */
  put(checkpoints: readonly Checkpoint[]): void;
}
