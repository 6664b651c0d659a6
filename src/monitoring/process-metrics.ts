import { readdirSync, readFileSync } from "node:fs";
import type { MetricFamily, MetricSource } from "./metric-source.ts";

/** Ticks a second in /proc/self/stat: fixed at 100 by the Linux kernel's interface to programs. */
const TICKS_PER_SECOND = 100;

/** What is known of the running process; a figure that the system does not give is absent. */
export type ProcessFigures = {
  readonly residentBytes?: number;
  readonly cpuUserSeconds?: number;
  readonly cpuSystemSeconds?: number;
  /** Bytes that this process caused to be written to disk, read from disk. */
  readonly writtenBytes?: number;
  readonly readBytes?: number;
  readonly openFiles?: number;
  readonly threads?: number;
};

/**
 * Reads the process's own figures from /proc, which the runtime's own calls do not match. Cheap: four small reads.
 *
 * @param directory /proc/self, or a copy of it in tests
 */
export function readProcessFigures(directory = "/proc/self"): ProcessFigures {
  const status = readProc(`${directory}/status`);
  const io = readProc(`${directory}/io`);
  const residentKib = fieldOf(status, "VmRSS");
  // The command name, in parentheses, may hold spaces; the fields after it are counted from 3 (proc_pid_stat(5)).
  const stat = readProc(`${directory}/stat`).split(") ").at(-1)?.split(" ") ?? [];
  return {
    ...present("residentBytes", residentKib === undefined ? undefined : residentKib * 1024),
    ...present("cpuUserSeconds", secondsOf(stat[14 - 3])),
    ...present("cpuSystemSeconds", secondsOf(stat[15 - 3])),
    ...present("writtenBytes", fieldOf(io, "write_bytes")),
    ...present("readBytes", fieldOf(io, "read_bytes")),
    ...present("openFiles", countOf(`${directory}/fd`)),
    ...present("threads", fieldOf(status, "Threads")),
  };
}

/** What this program is, for the build metric. */
export type BuildIdentity = { readonly version: string; readonly runtime: string };

/** Process metrics under `bizra_process_*`, and `bizra_build_info`. `startedAtMs`: milliseconds since the Unix epoch. */
export function processMetrics(build: BuildIdentity, startedAtMs: number, read: () => ProcessFigures = readProcessFigures): MetricSource {
  return {
    collect: () => {
      const figures = read();
      const cpu = [
        { mode: "user", value: figures.cpuUserSeconds },
        { mode: "system", value: figures.cpuSystemSeconds },
      ].flatMap(({ mode, value }) => (value === undefined ? [] : [{ labels: { mode }, value }]));
      const families: MetricFamily[] = [
        {
          name: "bizra_build_info",
          help: "Version of the program and of its runtime; the value is 1.",
          kind: "gauge",
          samples: [{ labels: { version: build.version, runtime: build.runtime }, value: 1 }],
        },
        gauge("bizra_process_start_time_seconds", "When the process started, in seconds since the Unix epoch.", startedAtMs / 1000),
        { name: "bizra_process_cpu_seconds_total", help: "Processor time used.", kind: "counter", samples: cpu },
        gauge("bizra_process_resident_memory_bytes", "Memory in RAM.", figures.residentBytes),
        gauge("bizra_process_open_files", "File descriptors open.", figures.openFiles),
        gauge("bizra_process_threads", "Threads running.", figures.threads),
        counter("bizra_process_written_bytes_total", "Bytes caused to be written to disk.", figures.writtenBytes),
        counter("bizra_process_read_bytes_total", "Bytes read from disk.", figures.readBytes),
      ];
      return families.filter((family) => family.samples.length > 0);
    },
  };
}

function gauge(name: string, help: string, value: number | undefined): MetricFamily {
  return { name, help, kind: "gauge", samples: value === undefined ? [] : [{ value }] };
}

function counter(name: string, help: string, value: number | undefined): MetricFamily {
  return { name, help, kind: "counter", samples: value === undefined ? [] : [{ value }] };
}

function present<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: number });
}

function secondsOf(ticks: string | undefined): number | undefined {
  return ticks !== undefined && /^\d+$/.test(ticks) ? Number(ticks) / TICKS_PER_SECOND : undefined;
}

function fieldOf(text: string, field: string): number | undefined {
  const match = new RegExp(`^${field}:\\s*(\\d+)`, "m").exec(text);
  return match ? Number(match[1]) : undefined;
}

/** Text of a /proc file; empty where the system has none or hides it. */
function readProc(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return "";
    throw error;
  }
}

function countOf(path: string): number | undefined {
  try {
    return readdirSync(path).length;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && ["ENOENT", "EACCES", "EPERM", "ENOTDIR"].includes(String(error.code));
}
