import type { CborReader, CborWriter } from "../../src/kernel/index.ts";
import { SYNC_LIMITS } from "./limits.ts";
import type { Heartbeat } from "./types.ts";

/** Names of figures that travel as their place in this list, from 0. Only ever appended to; any other travels as text. */
export const METRIC_NAMES = [
  "height",
  "epoch",
  "view",
  "blockAgeSeconds",
  "blockDelayMs",
  "isCatchingUp",
  "peers",
  "isReady",
  "alerts",
  "pendingTransactions",
  "pendingBytes",
  "acceptedTransactions",
  "rejectedTransactions",
  "isAdmitting",
  "diskFreeBytes",
  "journalSyncMs",
  "journalBytes",
  "eventLoopLagMs",
  "uptimeSeconds",
  "residentBytes",
  "writtenBytes",
  "cpuPercent",
  "memoryAvailableBytes",
  "loadAverage",
  "temperatureCelsius",
  "isThrottled",
  "storageWearPercent",
  "isClockSynchronized",
  "epochCertificates",
  "epochVotes",
  "epochProposed",
  "epochMissedTurns",
  "syncBytes",
  "certificateDays",
] as const;

const PLACES: ReadonlyMap<string, number> = new Map(METRIC_NAMES.map((name, place) => [name, place]));

/** A whole unit is 1,000 thousandths; most figures are whole, and take fewer bytes so. */
const UNIT = 1_000;

type Metric = Heartbeat["metrics"][number];

/** Writes [4 * place + form, magnitude], or [name, form, magnitude]. Form: 1 for a negative value, plus 2 for one in thousandths. */
export function writeMetric(w: CborWriter, { name, value }: Metric): void {
  const place = PLACES.get(name);
  const isWhole = value % UNIT === 0;
  const form = (value < 0 ? 1 : 0) + (isWhole ? 0 : 2);
  if (place === undefined) w.array(3).text(name).uint(form);
  else w.array(2).uint(FORMS * place + form);
  w.uint(Math.abs(isWhole ? value / UNIT : value));
}

/**
 * Reads what `writeMetric` writes: whole units only as such, a listed name only as its place, no -0.
 *
 * @returns undefined for a place that this release does not know: a later one's figure, which is passed over
 */
export function readMetric(r: CborReader): Metric | undefined {
  const fields = r.array(3);
  const text = fields === 3 ? r.text(1, SYNC_LIMITS.nameBytesMax) : undefined;
  const key = r.uint();
  const magnitude = r.uint();
  if (fields < 2 || (text !== undefined && (PLACES.has(text) || key >= FORMS))) r.reject();
  const form = key % FORMS;
  const isWhole = form < 2;
  const isNegative = form % 2 === 1;
  const thousandths = isWhole ? magnitude * UNIT : magnitude;
  if (!Number.isSafeInteger(thousandths) || (!isWhole && thousandths % UNIT === 0) || (isNegative && thousandths === 0)) r.reject();
  const name = text ?? METRIC_NAMES[Math.floor(key / FORMS)];
  return name === undefined ? undefined : { name, value: isNegative ? -thousandths : thousandths };
}

const FORMS = 4;
