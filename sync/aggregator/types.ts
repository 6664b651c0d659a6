import type { Hello, SyncLane } from "../protocol/index.ts";
import type { EnrolmentStore } from "./enrolment/types.ts";
import type { EnrolledNode, NodeQuota, NodeRef } from "./node.ts";

/** A node as the aggregator knows it. */
export type { EnrolledNode, NodeQuota, NodeRef } from "./node.ts";

/** How far one incarnation of a lane is held, with its hash tree. */
export type LaneHolding = {
  readonly lane: SyncLane;
  readonly epoch: number;
  /** Last record, 0 for none. */
  readonly sequence: number;
  /** Its hash, or what the first record links to. */
  readonly hash: Uint8Array;
  /** Roots of the tree's whole subtrees over the records of this incarnation; undefined behind a gap. */
  readonly peaks: readonly Uint8Array[] | undefined;
  /** Records that the node's checkpoints, verified, cover. */
  readonly checkpointed: number;
};

/** A record as it is kept. */
export type StoredEvent = {
  readonly lane: SyncLane;
  readonly epoch: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly type: string;
  /** Canonical CBOR of [timeMs, type, payload]. */
  readonly body: Uint8Array;
  readonly hash: Uint8Array;
  readonly receivedAtMs: number;
};

/** A place in a lane. */
export type EventPlace = { readonly epoch: number; readonly sequence: number };

/** Records to add, with the holding that they follow and the one that they make. */
export type Appendage = {
  readonly ref: NodeRef;
  /** The holding that the records were judged against; undefined: nothing is held of the lane. */
  readonly before: LaneHolding | undefined;
  readonly after: LaneHolding;
  readonly events: readonly StoredEvent[];
  /** A verified checkpoint. */
  readonly checkpoint?: { readonly size: number; readonly note: string };
  /**
   * Bytes that the node's records may take where no administrator set others: beyond what `laneLimitBytes` makes of them the
   * appendage is `full`. Undefined: no bound.
   */
  readonly quotaBytes?: number;
};

/** What became of an appendage: `moved`: the lane is not held as it says; `full`: it would go beyond the node's quota. */
export type AppendOutcome = "stored" | "moved" | "full";

/** What a node keeps here, as it is counted. */
export type NodeUsage = {
  /** Of each lane that anything is held of: bytes as `appendageBytes` counts them, every incarnation. */
  readonly lanes: readonly { readonly lane: SyncLane; readonly bytes: number }[];
};

/** A count of the objects below a prefix. */
export type ObjectCount = { readonly bytes: number; readonly countedAtMs: number };

/** A heartbeat as it is kept: what the node signed, whole, and when it came. */
export type StoredHeartbeat = NodeRef & {
  readonly receivedAtMs: number;
  /** The node's own clock. */
  readonly timeMs: number;
  /** The signed message. */
  readonly message: Uint8Array;
};

/** Something that people should know: two histories, a forged batch, a node that came back older. */
export type Finding = NodeRef & {
  readonly atMs: number;
  /** Stable: `fork`, `restored`, `brokenChain`, `badCheckpoint`, `badSignature`, `gap`, `chainMismatch` ... */
  readonly kind: string;
  readonly lane?: SyncLane;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly detail: string;
};

/** What somebody did through the API: who, what, to what, and how it ended. */
export type AuditEntry = {
  readonly atMs: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly outcome: string;
  readonly detail: string;
};

/** A login of the console, as it is kept: never the token nor a password, only what they are compared with. */
export type StoredLogin = {
  /** SHA-256 of the token, hex. */
  readonly key: string;
  readonly name: string;
  /** SHA-256 of the user's password hash, hex: another password ends the login. */
  readonly passwordMark: string;
  readonly expiresAtMs: number;
};

/** A lane with records that were not handed on to a bus yet, and the last place that was; epoch 0 before the first. */
export type WaitingLane = { readonly ref: NodeRef; readonly lane: SyncLane; readonly forwarded: EventPlace };

/** How far a lane was handed on, from where to where. */
export type ForwardStep = WaitingLane & { readonly to: EventPlace };

/** A store could not do its work; the same may go through later. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
  /** `full`: there is no room. `failed`: the database or its connection. */
  readonly code: "full" | "failed";

  constructor(code: "full" | "failed", message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Where an aggregator keeps everything. Every write is durable when its promise resolves; several aggregators may share
 * one. Rejects with `StoreUnavailable`.
 */
export interface AggregatorStore {
  readonly kind: "sqlite" | "postgresql";
  /** Claims, certificate requests, certificates and revocations; lives and closes with this store. */
  readonly enrolment: EnrolmentStore;

  findNode(ref: NodeRef): Promise<EnrolledNode | undefined>;
  /**
   * Adds or replaces a node, in one atomic step. A node keeps its identity key: another one for the same name is refused. A
   * revoked node stays as it is: only `enrolment` lets it in again.
   */
  putNode(node: EnrolledNode): Promise<"stored" | "otherIdentity" | "revoked">;
  /** Nodes in order of network and name, after a place. */
  listNodes(after: NodeRef | undefined, limit: number): Promise<readonly EnrolledNode[]>;

  /** The latest incarnation of each lane of a node. */
  holdings(ref: NodeRef): Promise<readonly LaneHolding[]>;
  /**
   * Adds records, each all or nothing, together in one durable step where that is cheaper. `moved` when the lane is not
   * held as `before` says any more: another aggregator was faster. What they take is counted in the same step; of other
   * aggregators' steps with other lanes of the node that are under way, nothing is seen: so much may go beyond its quota, once.
   */
  append(appendages: readonly Appendage[]): Promise<readonly AppendOutcome[]>;
  /** What a node keeps here. */
  usage(ref: NodeRef): Promise<NodeUsage>;
  /** Sets what differs for a node, all of it; false when it is not known. */
  setQuota(ref: NodeRef, quota: NodeQuota): Promise<boolean>;

  /**
   * Counts an object that is about to be written below a prefix, unless that goes beyond a limit.
   *
   * @returns what is counted there now, or undefined: nothing was counted
   */
  countObject(prefix: string, bytes: number, limitBytes: number): Promise<ObjectCount | undefined>;
  /** What is counted below a prefix; undefined: nothing ever was. */
  findObjectCount(prefix: string): Promise<ObjectCount | undefined>;
  /**
   * Takes it on oneself to count what lies below a prefix; undefined when somebody did since a time and, by this clock, not later than now.
   *
   * @returns what is counted until then
   */
  beginRecount(prefix: string, sinceMs: number, nowMs: number): Promise<number | undefined>;
  /** Corrects the count by what was found; of no effect when another has begun since. */
  finishRecount(prefix: string, beganAtMs: number, countedBytes: number, foundBytes: number): Promise<void>;
  /** Up to `limit` records of a lane after a place, in order. */
  readEvents(ref: NodeRef, lane: SyncLane, after: EventPlace, limit: number): Promise<readonly StoredEvent[]>;
  /** Up to `limit` records of a lane before a place, the newest first. */
  readEventsBefore(ref: NodeRef, lane: SyncLane, before: EventPlace, limit: number): Promise<readonly StoredEvent[]>;
  /** The hash of one record. */
  findHash(ref: NodeRef, lane: SyncLane, place: EventPlace): Promise<Uint8Array | undefined>;
  /** The newest verified checkpoint that covers a record. */
  findCheckpoint(ref: NodeRef, lane: SyncLane, place: EventPlace): Promise<{ readonly size: number; readonly note: string } | undefined>;

  /** Keeps a heartbeat as the node's latest, and in its history at most once a minute. */
  putHeartbeat(heartbeat: StoredHeartbeat): Promise<void>;
  latestHeartbeats(refs: readonly NodeRef[]): Promise<readonly StoredHeartbeat[]>;
  /** Heartbeats of a node since a time, oldest first. */
  heartbeatHistory(ref: NodeRef, sinceMs: number, limit: number): Promise<readonly StoredHeartbeat[]>;

  /**
   * Lanes that hold more than a bus was given, in order of network, node and lane, after one of them. Kept by lane and not
   * by order of arrival: with several writers, what is committed later may have arrived earlier, and would be passed over.
   */
  lanesToForward(bus: string, after: Omit<WaitingLane, "forwarded"> | undefined, limit: number): Promise<readonly WaitingLane[]>;
  /** Notes what a bus has. A step that does not start where the lane stands any more is left out: another was faster. */
  moveForwarded(bus: string, steps: readonly ForwardStep[]): Promise<readonly ("stored" | "moved")[]>;
  /** Whether `holder` is the one who hands on to a bus until a time: the one who was, or anyone once that time is over. */
  leaseForwarding(bus: string, holder: string, nowMs: number, untilMs: number): Promise<boolean>;

  /** Keeps a finding; of each node the newest 250 stay. */
  addFinding(finding: Finding): Promise<void>;
  /** The newest first. */
  listFindings(ref: NodeRef | undefined, limit: number): Promise<readonly Finding[]>;

  addAudit(entry: AuditEntry): Promise<void>;
  /** The newest first, before a time. */
  listAudit(beforeMs: number, limit: number): Promise<readonly AuditEntry[]>;

  /** Lets go of all but so many of the newest entries. */
  pruneAudit(countMax: number): Promise<void>;

  /** Keeps a login, for every aggregator over this store. Lets go of those that ended by then, and over a count of the oldest. */
  putLogin(login: StoredLogin, nowMs: number, countMax: number): Promise<void>;
  findLogin(key: string): Promise<StoredLogin | undefined>;
  endLogin(key: string): Promise<void>;

  /** Lets go of heartbeats before a time. */
  pruneHeartbeats(beforeMs: number): Promise<void>;
  close(): Promise<void>;
}

/** What an aggregator hands on, once it is durable. */
export type BusEvent = StoredEvent & NodeRef;

/** Hands events on to others, at least once and in order for each node and lane. */
export interface EventBus {
  readonly kind: string;
  /** Resolves when the bus has them. Rejects when it cannot now: the same are handed on again later. */
  publish(events: readonly BusEvent[]): Promise<void>;
  close(): Promise<void>;
}

/** The TLS client certificate that a connection was proven with: signed by the server's authority and valid at that time. */
export type PeerCertificate = {
  /** The common name: a node's. */
  readonly name: string;
  /** Hex, lower case, without leading zeros. */
  readonly serial: string;
  readonly notAfterMs: number;
};

/** Decides about nodes that say hello. */
export interface AdmissionPolicy {
  /** Whether a node that nobody enrolled is admitted by its first hello (a demonstration on loopback, say). */
  readonly isOpen: boolean;
  /** Whether a network's nodes are taken at all. */
  knowsNetwork(network: Uint8Array): boolean;
  /** Whether this name of a TLS client certificate may speak for a node; undefined: there was none. */
  speaksFor(certificateName: string | undefined, hello: Hello): boolean;
  /** Whether client certificates are those that this store's enrolment issued: each is then looked up there. */
  readonly isEnrolled?: boolean;
}
