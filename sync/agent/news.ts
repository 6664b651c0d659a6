import type { Heartbeat } from "../protocol/index.ts";

/** Figures that people must hear of at once when they change: flags and counts, and measures that change by a tenth. */
const URGENT = [
  "alerts",
  "isAdmitting",
  "isCatchingUp",
  "isThrottled",
  "isClockSynchronized",
  "diskFreeBytes",
  "storageWearPercent",
  "temperatureCelsius",
] as const;

/** The share of a measure by which it may change before that is told. */
const CHANGE_SHARE = 1 / 10;

/**
 * Whether a node is as it was told: a beat then says so in a hundred bytes. Figures that always move a little (memory,
 * load, uptime) do not count, and are told anew when they are `figuresMs` old.
 */
export function isAsTold(now: Heartbeat, told: Heartbeat, figuresMs: number): boolean {
  const isFresh = now.timeMs - told.timeMs < figuresMs && now.timeMs >= told.timeMs;
  const isSameWord =
    now.height === told.height &&
    now.epoch === told.epoch &&
    now.state === told.state &&
    now.isReady === told.isReady &&
    now.reason === told.reason &&
    now.peers === told.peers &&
    now.unacknowledgedMs === 0 &&
    told.unacknowledgedMs === 0;
  return isFresh && isSameWord && URGENT.every((name) => isNear(figureOf(now, name), figureOf(told, name)));
}

function figureOf({ metrics }: Heartbeat, name: string): number | undefined {
  return metrics.find((metric) => metric.name === name)?.value;
}

function isNear(a: number | undefined, b: number | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Math.abs(a - b) <= CHANGE_SHARE * Math.max(Math.abs(a), Math.abs(b));
}
