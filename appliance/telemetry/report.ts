import { METRIC_NAMES, type MetricName, type MetricValue, type MetricValues, metricSpec } from "./metrics.ts";
import type { BandwidthProfile } from "./profiles.ts";

/** The figures of one moment; every name is there, null where not known. */
export type Sample = { readonly timeMs: number; readonly monotonicMs: number; readonly values: Readonly<Record<MetricName, MetricValue>> };

/** What a sample is worth telling: the figures that left their dead band, or all that the profile tells at a heartbeat. */
export type Report = { readonly timeMs: number; readonly isHeartbeat: boolean; readonly values: MetricValues };

/** What was told last. */
export type ReportState = { readonly told: MetricValues; readonly heartbeatAtMs: number };

/** Names that a profile ever tells. */
export function namesOf(profile: BandwidthProfile): readonly MetricName[] {
  return METRIC_NAMES.filter((name) => !profile.isEssentialOnly || metricSpec(name).isEssential);
}

/**
 * Report by exception: decides what of a sample is told.
 *
 * @param state what was told before; undefined before the first report, which is a heartbeat
 * @returns the state afterwards, and the report, unless nothing is worth one
 */
export function planReport(
  state: ReportState | undefined,
  sample: Sample,
  profile: BandwidthProfile,
): { readonly state: ReportState; readonly report?: Report } {
  const names = namesOf(profile);
  const isHeartbeat = state === undefined || sample.monotonicMs - state.heartbeatAtMs >= profile.heartbeatMs;
  const told = state?.told ?? {};
  const due = isHeartbeat ? names : names.filter((name) => hasLeftBand(name, told[name] ?? null, sample.values[name], profile.bandFactor));
  if (due.length === 0 && state) return { state };
  const values: { [N in MetricName]?: MetricValue } = {};
  for (const name of due) values[name] = sample.values[name];
  const heartbeatAtMs = isHeartbeat ? sample.monotonicMs : state.heartbeatAtMs;
  return { state: { told: { ...told, ...values }, heartbeatAtMs }, report: { timeMs: sample.timeMs, isHeartbeat, values } };
}

/** Whether a figure has changed by more than its dead band, widened by a factor. */
export function hasLeftBand(name: MetricName, told: MetricValue, now: MetricValue, factor: number): boolean {
  if (typeof told !== "number" || typeof now !== "number") return told !== now;
  const { absolute = 0, share = 0 } = metricSpec(name).band;
  return Math.abs(now - told) > factor * Math.max(absolute, share * Math.abs(told));
}
