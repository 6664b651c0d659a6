/** The three lanes of the event log; each is its own hash chain, so that a slow one never holds up a vital one. */
export const LANES = ["crit", "chain", "ops"] as const;

/**
 * A lane: `crit` (signing marks, keys, configuration, audit, alerts, damage), `chain` (blocks and the validators of
 * genesis) or `ops` (admission, validation, consensus, the service itself).
 */
export type Lane = (typeof LANES)[number];

/** A lane's number in what is hashed. Never reused. */
export const LANE_NUMBER = { crit: 1, chain: 2, ops: 3 } as const satisfies Record<Lane, number>;

/** A place in a lane: incarnation of the log, then position from 1 (0: before the first record). Both safe integers. */
export type LaneCursor = { readonly epoch: number; readonly sequence: number };

/** The last record of a lane: where it stands and its hash; sequence 0 with the hash to link to when there is none. */
export type LaneTip = LaneCursor & { readonly hash: Uint8Array };

/** First incarnation of every log; each restore opens the next. */
const FIRST_EPOCH = 1;

/** Before the first record of a lane's first epoch: 32 zero bytes stand for the previous hash. */
export const EMPTY_LANE: LaneTip = { epoch: FIRST_EPOCH, sequence: 0, hash: new Uint8Array(32) };

/** A record of a lane, its hash checked against its content by whoever made this value. */
export type LaneRecord = LaneCursor & {
  readonly lane: Lane;
  /** Hash of the record before it, 32 bytes. */
  readonly previousHash: Uint8Array;
  /** Milliseconds since the Unix epoch; in the chain lane the block header's time. */
  readonly timeMs: number;
  /** Name of the event, e.g. `block.finalized`; one this release does not know is possible. */
  readonly type: string;
  /** Canonical CBOR of the payload's map. */
  readonly payload: Uint8Array;
  /** Canonical CBOR of [timeMs, type, payload]: what is stored and hashed. */
  readonly body: Uint8Array;
  /** 32 bytes. */
  readonly hash: Uint8Array;
};

/** A record as a store keeps it: what cannot be derived from its neighbours. */
export type StoredRecord = LaneCursor & { readonly body: Uint8Array; readonly hash: Uint8Array };

/** Where a lane is not what was written: a record is gone, or does not follow from the one before; with words for people. */
export type LaneFault = LaneCursor & { readonly lane: Lane; readonly kind: "missing" | "changed"; readonly detail: string };

/** Orders places by incarnation, then position: negative, zero or positive. */
export function compareCursors(a: LaneCursor, b: LaneCursor): number {
  return a.epoch - b.epoch || a.sequence - b.sequence;
}
