import { decodeBody } from "../../../src/events/index.ts";
import { assert } from "../../../src/kernel/index.ts";
import { LINK_PROFILES, SYNC_LANE_NUMBER, SYNC_LANES, type SyncLane } from "../../protocol/index.ts";
import type {
  AuditEntry,
  EnrolledNode,
  Finding,
  LaneHolding,
  NodeRef,
  ObjectCount,
  StoredEvent,
  StoredHeartbeat,
  StoredLogin,
  WaitingLane,
} from "../types.ts";
import { decodePeaks } from "./peaks.ts";

/** A row of `node`. */
export type NodeRow = {
  readonly id: bigint;
  readonly network: string;
  readonly node: string;
  readonly identity_key: Uint8Array;
  readonly validator_key: Uint8Array | null;
  readonly software: string;
  readonly profile: string;
  readonly site: string;
  readonly status: string;
  readonly enrolled_at_ms: bigint;
  readonly last_hello_at_ms: bigint;
  readonly event_quota_bytes: bigint | null;
  readonly object_quota_bytes: bigint | null;
};

/** A row of `holding`. */
export type HoldingRow = {
  readonly lane: bigint;
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly hash: Uint8Array;
  readonly peaks: Uint8Array | null;
  readonly checkpointed: bigint;
};

/** A row of `event`. */
export type EventRow = {
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly body: Uint8Array;
  readonly hash: Uint8Array;
  readonly received_at_ms: bigint;
};

/** A row of either table of heartbeats. */
export type HeartbeatRow = { readonly received_at_ms: bigint; readonly time_ms: bigint; readonly message: Uint8Array };

/** A row of `finding`. */
export type FindingRow = {
  readonly network: string;
  readonly node: string;
  readonly at_ms: bigint;
  readonly kind: string;
  readonly lane: string | null;
  readonly epoch: bigint | null;
  readonly sequence: bigint | null;
  readonly detail: string;
};

/** A row of `audit`. */
export type AuditRow = {
  readonly at_ms: bigint;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly outcome: string;
  readonly detail: string;
};

/** A row of `console_login`. */
export type LoginRow = { readonly key: string; readonly name: string; readonly password_mark: string; readonly expires_at_ms: bigint };

/** A row of `object_count`. */
export type ObjectCountRow = { readonly bytes: bigint; readonly counted_at_ms: bigint };

/** A lane that waits for a bus. */
export type WaitingRow = {
  readonly network: string;
  readonly node: string;
  readonly lane: bigint;
  readonly epoch: bigint;
  readonly sequence: bigint;
};

/** A node of its row. */
export function nodeOfRow(row: NodeRow): EnrolledNode {
  const profile = LINK_PROFILES.find((name) => name === row.profile) ?? "unmetered";
  const status = row.status === "revoked" ? "revoked" : "enrolled";
  const keys = { identityKey: row.identity_key, ...(row.validator_key ? { validatorKey: row.validator_key } : {}) };
  const { event_quota_bytes: events, object_quota_bytes: objects } = row;
  const differing = {
    ...(events === null ? {} : { eventBytes: Number(events) }),
    ...(objects === null ? {} : { objectBytes: Number(objects) }),
  };
  const quota = events === null && objects === null ? {} : { quota: differing };
  const times = { enrolledAtMs: Number(row.enrolled_at_ms), lastHelloAtMs: Number(row.last_hello_at_ms) };
  return { network: row.network, node: row.node, ...keys, software: row.software, profile, site: row.site, status, ...times, ...quota };
}

/** A holding of its row. */
export function holdingOfRow(row: HoldingRow): LaneHolding {
  const lane = laneOf(Number(row.lane));
  const peaks = row.peaks === null ? undefined : decodePeaks(row.peaks);
  return { lane, epoch: Number(row.epoch), sequence: Number(row.sequence), hash: row.hash, peaks, checkpointed: Number(row.checkpointed) };
}

/** An event of its row; time and type lie in its body, which was read before it was stored. */
export function eventOfRow(lane: SyncLane, row: EventRow): StoredEvent {
  const body = decodeBody(row.body);
  assert(body.ok, "a stored event's body was a record when it was stored");
  const { timeMs, type } = body.value;
  return {
    lane,
    epoch: Number(row.epoch),
    sequence: Number(row.sequence),
    timeMs,
    type,
    body: row.body,
    hash: row.hash,
    receivedAtMs: Number(row.received_at_ms),
  };
}

/** What a lane's records are counted as, of its row. */
export function laneBytesOfRow({ lane, bytes }: { readonly lane: bigint; readonly bytes: bigint }) {
  return { lane: laneOf(Number(lane)), bytes: Number(bytes) };
}

/** A heartbeat of its row. */
export function heartbeatOfRow({ network, node }: NodeRef, row: HeartbeatRow): StoredHeartbeat {
  return { network, node, receivedAtMs: Number(row.received_at_ms), timeMs: Number(row.time_ms), message: row.message };
}

/** A finding of its row. */
export function findingOfRow(row: FindingRow): Finding {
  const lane = SYNC_LANES.find((name) => name === row.lane);
  const place = {
    ...(lane && { lane }),
    ...(row.epoch === null ? {} : { epoch: Number(row.epoch) }),
    ...(row.sequence === null ? {} : { sequence: Number(row.sequence) }),
  };
  return { network: row.network, node: row.node, atMs: Number(row.at_ms), kind: row.kind, ...place, detail: row.detail };
}

/** An entry of its row. */
export function auditOfRow({ at_ms, actor, action, target, outcome, detail }: AuditRow): AuditEntry {
  return { atMs: Number(at_ms), actor, action, target, outcome, detail };
}

/** A login of its row. */
export function loginOfRow({ key, name, password_mark, expires_at_ms }: LoginRow): StoredLogin {
  return { key, name, passwordMark: password_mark, expiresAtMs: Number(expires_at_ms) };
}

/** A count of objects of its row. */
export function objectCountOfRow({ bytes, counted_at_ms }: ObjectCountRow): ObjectCount {
  return { bytes: Number(bytes), countedAtMs: Number(counted_at_ms) };
}

/** A waiting lane of its row. */
export function waitingOfRow({ network, node, lane, epoch, sequence }: WaitingRow): WaitingLane {
  return { ref: { network, node }, lane: laneOf(Number(lane)), forwarded: { epoch: Number(epoch), sequence: Number(sequence) } };
}

function laneOf(number: number): SyncLane {
  const lane = SYNC_LANES.find((name) => SYNC_LANE_NUMBER[name] === number);
  assert(lane !== undefined, "a stored lane is one of the three");
  return lane;
}
