import { toHex } from "../../../src/kernel/index.ts";
import type { Finding, LaneHolding } from "../types.ts";
import type { FleetEntry } from "./directory.ts";
import { stateOf, statusTimesOf } from "./status.ts";

/** RFC 3339 UTC with milliseconds; undefined for a number that no date holds. */
export function timeText(ms: number): string | undefined {
  return ms >= 0 && ms <= 8.64e15 ? new Date(ms).toISOString() : undefined;
}

/**
 * A node as the API tells it.
 *
 * @param nowMs the aggregator's clock
 * @param bestHeight the best height known in its network
 */
export function rowOf({ node, word }: FleetEntry, nowMs: number, bestHeight: number | undefined) {
  const times = statusTimesOf(node.profile);
  const ageMs = word && Math.max(0, nowMs - word.receivedAtMs);
  const complaints = word?.complaints ?? [];
  const state = stateOf(ageMs, times, complaints);
  const isLate = ageMs !== undefined && ageMs >= times.lateMs;
  return {
    network: node.network,
    node: node.node,
    site: node.site,
    software: node.software,
    profile: node.profile,
    role: node.validatorKey ? ("validator" as const) : ("observer" as const),
    enrolment: node.status,
    status: {
      state,
      reasons: isLate ? (["late", ...complaints] as const) : complaints,
      ...times,
      ...(word && { heardAt: timeText(word.receivedAtMs), ageMs }),
    },
    ...(word && {
      height: word.height,
      heightLag: Math.max(0, (bestHeight ?? word.height) - word.height),
      epoch: word.epoch,
      view: word.view,
      duty: word.state,
      isReady: word.isReady,
      ...(word.reason !== "" && { reason: word.reason }),
      peers: word.peers,
      rpoMs: word.unacknowledgedMs,
      clockOffsetMs: word.timeMs - word.receivedAtMs,
      figures: word.figures,
    }),
  };
}

/** A node as the API tells it. */
export type NodeRow = ReturnType<typeof rowOf>;

/** A node with its keys and its last word's place among others. */
export function detailOf(entry: FleetEntry, nowMs: number, bestHeight: number | undefined) {
  const { node, word } = entry;
  return {
    ...rowOf(entry, nowMs, bestHeight),
    identityKey: toHex(node.identityKey),
    ...(node.validatorKey && { validatorKey: toHex(node.validatorKey) }),
    enrolledAt: timeText(node.enrolledAtMs),
    lastHelloAt: timeText(node.lastHelloAtMs),
    ...(word && { boot: { id: word.bootId, heartbeat: word.sequence, time: timeText(word.timeMs) } }),
  };
}

/** How far a lane is held. */
export function holdingRow({ lane, epoch, sequence, hash, checkpointed, peaks }: LaneHolding) {
  return { lane, epoch, sequence, hash: toHex(hash), checkpointed, isWhole: peaks !== undefined };
}

/** A finding as the API tells it. */
export function findingRow({ atMs, ...finding }: Finding) {
  return { at: timeText(atMs), ...finding };
}
