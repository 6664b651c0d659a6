import { describeCrowdReport, runCrowdTrial } from "../e2e/support/crowd-trial.ts";
import type { Soak } from "./soak.ts";

/** A connection may cost so much at 10,000, the node's own growth included. */
const BYTES_PER_CONNECTION_MAX = 16 * 1_024;

/** Ten thousand connections. */
export const brokerConnectionsSoak: Soak = {
  name: "broker-connections",
  summary: "holds 10,000 idle MQTT connections and compares submissions with and without them (--connections N, --seconds N)",
  options: { connections: { type: "string" }, seconds: { type: "string" } },
  run: async (place, { connections = 10_000, seconds = 20 }) => {
    const plan = { connections, processes: 4, measureMs: 1_000 * seconds, onProgress: (line: string) => console.log(line) };
    const report = await runCrowdTrial(place, plan);
    console.log(describeCrowdReport(report));
    const faults: string[] = [];
    if (report.counted !== connections + 1) faults.push(`the node counts ${report.counted} connections, not ${connections + 1}`);
    if (report.bytesPerConnection > BYTES_PER_CONNECTION_MAX) faults.push(`${report.bytesPerConnection} bytes a connection`);
    if (report.during.finalP50Ms > 2 * report.before.finalP50Ms + 50)
      faults.push(`final after ${report.during.finalP50Ms} ms instead of ${report.before.finalP50Ms}`);
    return faults;
  },
};
