/** Lanes of the event log, as they travel; the same names as in src/events. */
export const SYNC_LANES = ["crit", "chain", "ops"] as const;

/** A lane of a node's event log. */
export type SyncLane = (typeof SYNC_LANES)[number];

/** A lane's number on the wire: that which its record hashes cover. */
export const SYNC_LANE_NUMBER = { crit: 1, chain: 2, ops: 3 } as const satisfies Record<SyncLane, number>;

/** How a node's uplink is paid for; decides how long records wait for company. */
export const LINK_PROFILES = ["unmetered", "metered", "emergency"] as const;

/** One of `LINK_PROFILES`. */
export type LinkProfile = (typeof LINK_PROFILES)[number];

/** How the records of a batch are compressed. Every side knows both. */
export const SYNC_CODECS = ["plain", "zstd"] as const;

/** One of `SYNC_CODECS`. */
export type SyncCodec = (typeof SYNC_CODECS)[number];

/** What a node holds of one incarnation of a lane. */
export type LaneExtent = {
  readonly lane: SyncLane;
  /** Incarnation, from 1. */
  readonly epoch: number;
  /** First record that is still there; `last + 1` when none is. */
  readonly first: number;
  /** Last record, 0 before the first. */
  readonly last: number;
  /** Hash of the last record, 32 bytes; what the first one will link to when there is none. */
  readonly tipHash: Uint8Array;
};

/** A node's first message of a session; signed by its identity. */
export type Hello = {
  /** 1-64 of A-Z a-z 0-9 _ -. */
  readonly node: string;
  /** Hash of the genesis document, 32 bytes. */
  readonly network: Uint8Array;
  /** Public key of the node's identity, which signs this and the checkpoints; never a validator key. 32 bytes. */
  readonly identityKey: Uint8Array;
  /** Drawn at each start of the process, 16 bytes. */
  readonly bootId: Uint8Array;
  /** The node's wall clock, ms since the Unix epoch. */
  readonly timeMs: number;
  /** Version of the software. */
  readonly software: string;
  /** The validator key that it signs votes with; absent on an observer. 32 bytes. */
  readonly validatorKey?: Uint8Array;
  readonly profile: LinkProfile;
  /** What it can compress with, best first. */
  readonly codecs: readonly SyncCodec[];
  readonly lanes: readonly LaneExtent[];
};

/** How far an aggregator holds one lane durably. */
export type SyncCursor = {
  readonly lane: SyncLane;
  readonly epoch: number;
  /** Last record that is durable, 0 for none. */
  readonly sequence: number;
  /** Its hash, 32 bytes; for sequence 0 what the first record of this epoch links to, as the aggregator knows it. */
  readonly hash: Uint8Array;
};

/** What an aggregator allows a node until it hears otherwise. */
export type Allowance = {
  /** Bytes of batches that may be on their way unacknowledged. */
  readonly creditBytes: number;
  /** Least time between two batches of a lane, ms. */
  readonly intervalMs: number;
};

/** The answer to a hello. */
export type Welcome = Allowance & {
  /** Names the session in every batch and heartbeat, 16 bytes, unguessable. */
  readonly session: Uint8Array;
  /** One for each lane that the aggregator knows of this node; its latest incarnation. */
  readonly cursors: readonly SyncCursor[];
  /** The aggregator's wall clock, ms since the Unix epoch. */
  readonly timeMs: number;
  /** The key that its acknowledgements are signed with, 32 bytes. */
  readonly witnessKey: Uint8Array;
  /** Version of the configuration that the fleet wants on this node; 0 when it wants none. */
  readonly configurationVersion: number;
  /** The newest checkpoint of the vital lane that the aggregator holds, and its incarnation: the node's own word of its history. */
  readonly vital?: { readonly epoch: number; readonly note: string };
};

/** Consecutive records of one incarnation of a lane. */
export type SyncBatch = {
  readonly session: Uint8Array;
  readonly lane: SyncLane;
  readonly epoch: number;
  /** First and last record, from <= to. */
  readonly from: number;
  readonly to: number;
  /** What record `from` links to, 32 bytes. */
  readonly previousHash: Uint8Array;
  /** Hash of record `to`, 32 bytes. */
  readonly tipHash: Uint8Array;
  readonly codec: SyncCodec;
  /** Bytes of the records before compression. */
  readonly plainBytes: number;
  /** The records' bodies, framed by `joinBodies`, compressed by `codec`. */
  readonly records: Uint8Array;
  /** A signed checkpoint that covers records up to `to` at most. */
  readonly checkpoint?: string;
};

/** What an aggregator says once a batch is durable: its witness over how far it holds the lane. */
export type SyncAck = Allowance &
  SyncCursor & {
    /** When it was made durable, ms since the Unix epoch. */
    readonly timeMs: number;
    /** Signature of the witness key over `witnessStatement`, 64 bytes. */
    readonly witness: Uint8Array;
  };

/**
 * Why a message is refused. `gap`, `fork`: see the cursor that comes with it. `slowDown`, `unavailable`, `full`: the same
 * again later. The others are permanent for the same bytes.
 */
export const SYNC_REFUSALS = {
  malformed: 400,
  tooLarge: 413,
  unsupportedVersion: 426,
  badSignature: 401,
  unknownNode: 403,
  wrongNode: 403,
  revoked: 403,
  unknownNetwork: 403,
  unknownSession: 401,
  gap: 409,
  fork: 409,
  brokenChain: 422,
  badCheckpoint: 422,
  slowDown: 429,
  unavailable: 503,
  full: 507,
} as const;

/** Stable code of a refusal; its HTTP status is in `SYNC_REFUSALS`. */
export type SyncRefusalCode = keyof typeof SYNC_REFUSALS;

/** A refusal. */
export type SyncRefusal = {
  readonly code: SyncRefusalCode;
  /** Words for people. */
  readonly detail: string;
  /** With `gap` and `fork`: how far the aggregator holds the lane. */
  readonly cursor?: SyncCursor;
  /** With codes that pass: not before this many ms. */
  readonly retryAfterMs?: number;
};

/** A node's word that it is as its last heartbeat of this session said, signed. Counted on with heartbeats. */
export type Beat = Pick<Heartbeat, "session" | "sequence">;

/** A node's own word on how it is, signed: status is never inferred from anything else. */
export type Heartbeat = {
  readonly session: Uint8Array;
  readonly node: string;
  readonly bootId: Uint8Array;
  /** Counts up within a boot, from 1. */
  readonly sequence: number;
  readonly timeMs: number;
  /** Final height, epoch and view of the node. */
  readonly height: number;
  readonly epoch: number;
  readonly view: number;
  /** "voting", "following", "recovering" ... as `bizra status` says. */
  readonly state: string;
  /** Whether the node calls itself ready, and why not. */
  readonly isReady: boolean;
  readonly reason: string;
  readonly peers: number;
  /** Age of the oldest event that no aggregator has acknowledged, ms: the live RPO. */
  readonly unacknowledgedMs: number;
  /** Named figures in thousandths of the unit that the name ends in; flags as 0 and 1,000. */
  readonly metrics: readonly { readonly name: string; readonly value: number }[];
};
