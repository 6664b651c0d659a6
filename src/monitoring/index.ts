/**
 * Floor 4. What a node says about itself: metrics, health, alert conditions and the structured log.
 *
 * Invariants: figures are read from the process and its contexts when asked for, never estimated; a figure that cannot
 * be had is left out, not zero; names, units and help are checked at every scrape; a log line never carries a secret
 * that has the name or form of one. Reads no environment and no clock of its own, starts no thread, keeps no history
 * beyond counters.
 */
export * from "./alert-conditions.ts";
export * from "./event-loop-lag.ts";
export * from "./exposition.ts";
/** What is measured of the machine, as conditions judge it. */
export type { HardwareSample } from "./hardware-conditions.ts";
export * from "./health.ts";
export * from "./metric-registry.ts";
export * from "./metric-source.ts";
export * from "./process-metrics.ts";
export * from "./redaction.ts";
export * from "./structured-log.ts";
