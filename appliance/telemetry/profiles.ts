import type { Lane } from "../../src/events/index.ts";

/** How much a broker behind a connection of some price is told. */
export type BandwidthProfile = {
  readonly name: "unmetered" | "metered" | "emergency";
  /** Milliseconds between looks at the figures. */
  readonly sampleMs: number;
  /** Every figure is told at the latest this long after it was last told, in milliseconds. */
  readonly heartbeatMs: number;
  /** By this the dead bands of the figures are widened. */
  readonly bandFactor: number;
  /** Whether the retained `health` follows every report, or heartbeats and changes of what the node can do alone. */
  readonly isHealthFrequent: boolean;
  /** Whether only essential figures are told. */
  readonly isEssentialOnly: boolean;
  /** Milliseconds between two of the `head` topic, at least. */
  readonly headMs: number;
  /** Lanes of the event log that are sent as events; the others wait for another profile. */
  readonly lanes: readonly Lane[];
  /** Milliseconds for which events wait for company. */
  readonly eventLingerMs: number;
  /** Seconds of silence after which the connection is tried; the broker tells the wills one and a half times as long after the last word. */
  readonly keepAliveSeconds: number;
};

/** The profiles by name. */
export const BANDWIDTH_PROFILES: Readonly<Record<BandwidthProfile["name"], BandwidthProfile>> = {
  unmetered: {
    name: "unmetered",
    sampleMs: 10_000,
    heartbeatMs: 300_000,
    bandFactor: 1,
    isHealthFrequent: true,
    isEssentialOnly: false,
    headMs: 1_000,
    lanes: ["crit", "chain", "ops"],
    eventLingerMs: 250,
    keepAliveSeconds: 30,
  },
  metered: {
    name: "metered",
    sampleMs: 300_000,
    heartbeatMs: 3_600_000,
    bandFactor: 3,
    isHealthFrequent: false,
    isEssentialOnly: false,
    headMs: 900_000,
    lanes: ["crit"],
    eventLingerMs: 5_000,
    keepAliveSeconds: 240,
  },
  emergency: {
    name: "emergency",
    sampleMs: 1_800_000,
    heartbeatMs: 21_600_000,
    bandFactor: 10,
    isHealthFrequent: false,
    isEssentialOnly: true,
    headMs: 3_600_000,
    lanes: ["crit"],
    eventLingerMs: 30_000,
    keepAliveSeconds: 600,
  },
};
