import { readdirSync, readFileSync } from "node:fs";

/** As `sysconf(_SC_CLK_TCK)` is on every Linux. */
const TICKS_PER_SECOND = 100;

/** What a node's threads do, by the names that the runtime gives them. */
const ROLES: readonly (readonly [RegExp, string])[] = [
  [/^verify|^Bun Pool/, "verification"],
  [/^JITWorker|^JSCWarmUp/, "compiling"],
  [/^HeapHelper|ollector|scavenger/, "collecting"],
];

/** CPU milliseconds that a process has used, by what its threads do; `all` counts threads that have ended too. */
export function threadTimes(pid: number): ReadonlyMap<string, number> {
  const times = new Map([["all", cpuMs(readFileSync(`/proc/${pid}/stat`, "utf8"))]]);
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const line = statOf(pid, thread);
    if (line === undefined) continue;
    const name = line.slice(line.indexOf("(") + 1, line.lastIndexOf(")"));
    const role = Number(thread) === pid ? "main thread" : (ROLES.find(([names]) => names.test(name))?.[1] ?? "other threads");
    times.set(role, (times.get(role) ?? 0) + cpuMs(line));
  }
  return times;
}

/** Most memory that a process has held so far, in bytes. */
export function peakMemory(pid: number): number {
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) * 1024;
}

function cpuMs(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_SECOND;
}

/** Undefined for a thread that ended meanwhile. */
function statOf(pid: number, thread: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ESRCH"))) throw error;
    return undefined;
  }
}
