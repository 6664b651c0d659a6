import { describeIdleReport, runIdleTrial } from "../e2e/support/idle-trial.ts";
import type { Soak } from "./soak.ts";

/** The goal for a node with nothing to do and a heartbeat every 300 s. */
const BYTES_PER_HOUR_MAX = 1_000_000;
/** What follows a transaction within a minute (marks, checkpoints of the event log) belongs to it, not to idleness. */
const SETTLE_MS = 70_000;

/** A node with nothing to do, through several heartbeats. */
export const idleSoak: Soak = {
  name: "idle",
  summary: "watches an idle node for 15 minutes with the timers of edge boxes (--seconds N)",
  options: { seconds: { type: "string" } },
  run: async (place, { seconds = 900 }) => {
    const report = await runIdleTrial(place, { seconds, settleMs: SETTLE_MS, words: ["--consensus-profile", "wan"] });
    console.log(`idle: ${describeIdleReport(report)}`);
    const faults = [...report.faults];
    if (report.bytesPerHour > BYTES_PER_HOUR_MAX) faults.push(`${report.bytesPerHour} bytes an hour, the goal is ${BYTES_PER_HOUR_MAX}`);
    const heartbeatsMax = Math.ceil(seconds / 300) + 1;
    if (report.blocks > heartbeatsMax) faults.push(`${report.blocks} blocks in ${seconds} s, at most ${heartbeatsMax} heartbeats were due`);
    return faults;
  },
};
