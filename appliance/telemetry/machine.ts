import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../src/kernel/index.ts";
import { type ProcessFigures, readProcessFigures } from "../../src/monitoring/index.ts";
import type { MetricValues } from "./metrics.ts";
import type { MetricReader } from "./sampler.ts";

/** Figures of this process and of the memory and load around it, from /proc: a few small reads, no program is run. */
export class MachineReader implements MetricReader {
  readonly #root: string;
  readonly #clock: Clock;
  #cpu: { readonly seconds: number; readonly atMs: number } | undefined;

  /** @param root of the file system; another one in tests */
  constructor(clock: Clock, root = "/") {
    this.#root = root;
    this.#clock = clock;
  }

  read(): MetricValues {
    const figures = readProcessFigures(join(this.#root, "proc/self"));
    const load = Number.parseFloat(this.#text("proc/loadavg"));
    return {
      residentBytes: figures.residentBytes ?? null,
      writtenBytes: figures.writtenBytes ?? null,
      cpuPercent: this.#cpuPercent(figures),
      memoryAvailableBytes: availableBytes(this.#text("proc/meminfo")),
      loadAverage: Number.isNaN(load) ? null : load,
    };
  }

  /** Share of one core since the sample before. */
  #cpuPercent({ cpuUserSeconds, cpuSystemSeconds }: ProcessFigures): number | null {
    if (cpuUserSeconds === undefined || cpuSystemSeconds === undefined) return null;
    const seconds = cpuUserSeconds + cpuSystemSeconds;
    const atMs = this.#clock.monotonicMs();
    const before = this.#cpu;
    this.#cpu = { seconds, atMs };
    if (before === undefined || atMs <= before.atMs) return null;
    return rounded((100_000 * (seconds - before.seconds)) / (atMs - before.atMs), 1);
  }

  #text(path: string): string {
    try {
      return readFileSync(join(this.#root, path), "utf8");
    } catch (error) {
      if (isUnavailable(error)) return "";
      throw error;
    }
  }
}

function availableBytes(meminfo: string): number | null {
  const found = /^MemAvailable:\s*(\d+) kB/m.exec(meminfo);
  return found ? 1_024 * Number(found[1]) : null;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** What files of /proc and /sys answer on a machine that has no such part, or that hides or cannot read it now. */
function isUnavailable(error: unknown): boolean {
  const codes = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "EINVAL", "EIO", "ENODEV", "ENODATA", "EAGAIN", "EBUSY", "ETIMEDOUT"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
