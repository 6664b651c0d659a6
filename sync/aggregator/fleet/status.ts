import type { LinkProfile } from "../../protocol/index.ts";

/** The three states of a node, best first. */
export const NODE_STATES = ["online", "degraded", "unknown"] as const;

/** One of `NODE_STATES`. */
export type NodeState = (typeof NODE_STATES)[number];

/** Why a node is degraded; stable codes. `late` is about the heartbeat's age, the others stand in the heartbeat. */
export const STATUS_REASONS = [
  "late",
  "notReady",
  "catchingUp",
  "alerts",
  "diskLow",
  "storageWorn",
  "hot",
  "throttled",
  "clockUnsynchronized",
] as const;

/** One of `STATUS_REASONS`. */
export type StatusReason = (typeof STATUS_REASONS)[number];

/** From which age on a heartbeat is late, and from which on nothing is known any more, ms. */
export type StatusTimes = { readonly lateMs: number; readonly silentMs: number };

/** Milliseconds between two heartbeats by link profile, as agents send them. */
export const HEARTBEAT_EVERY_MS = { unmetered: 40_000, metered: 300_000, emergency: 900_000 } as const satisfies Record<
  LinkProfile,
  number
>;

/** A heartbeat is late after one and a half intervals, and its node unknown after two and a quarter: 90 s on a link that is not metered. */
export function statusTimesOf(profile: LinkProfile): StatusTimes {
  const every = HEARTBEAT_EVERY_MS[profile];
  return { lateMs: (every * 3) / 2, silentMs: (every * 9) / 4 };
}

/** What of a heartbeat a status is made of. */
export type StatusFacts = {
  readonly isReady: boolean;
  readonly state: string;
  /** By name, in the unit that the name ends in; flags as 0 and 1. */
  readonly figures: Readonly<Record<string, number>>;
};

/** Bounds of figures beyond which a node is degraded. */
export const STATUS_BOUNDS = { diskFreeBytesMin: 512 * 1024 * 1024, storageWearPercentMax: 90, temperatureCelsiusMax: 80 } as const;

/** What a node itself says is wrong, whatever the age of its word. */
export function complaintsOf({ isReady, state, figures }: StatusFacts): readonly StatusReason[] {
  const is = (name: string, holds: (value: number) => boolean): boolean => {
    const value = figures[name];
    return value !== undefined && holds(value);
  };
  const found: Readonly<Partial<Record<StatusReason, boolean>>> = {
    notReady: !isReady,
    catchingUp: state === "catchingUp",
    alerts: is("alerts", (count) => count > 0),
    diskLow: is("diskFreeBytes", (bytes) => bytes < STATUS_BOUNDS.diskFreeBytesMin),
    storageWorn: is("storageWearPercent", (percent) => percent >= STATUS_BOUNDS.storageWearPercentMax),
    hot: is("temperatureCelsius", (degrees) => degrees >= STATUS_BOUNDS.temperatureCelsiusMax),
    throttled: is("isThrottled", (flag) => flag === 1),
    clockUnsynchronized: is("isClockSynchronized", (flag) => flag === 0),
  };
  return STATUS_REASONS.filter((reason) => found[reason] === true);
}

/**
 * The state of a node: unknown when its last word is too old or there is none, degraded when that word is late or
 * complains, else online. Pages apply the same rule to the age as it grows, so none ever shows an online that is stale.
 *
 * @param ageMs of the last heartbeat by the aggregator's clock; undefined when there is none
 * @param complaints of that heartbeat
 */
export function stateOf(ageMs: number | undefined, { lateMs, silentMs }: StatusTimes, complaints: readonly StatusReason[]): NodeState {
  if (ageMs === undefined || ageMs >= silentMs) return "unknown";
  return ageMs >= lateMs || complaints.length > 0 ? "degraded" : "online";
}
