import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../src/kernel/index.ts";
import { type ProcessFigures, readProcessFigures } from "../../src/monitoring/index.ts";
import type { MetricValues } from "./metrics.ts";
import type { MetricReader } from "./sampler.ts";

/** Figures of the machine and of this process from /proc and /sys: about twenty small reads, no program is run. */
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
      temperatureCelsius: this.#temperature(),
      isThrottled: this.#isThrottled(),
      storageWearPercent: this.#wear(),
      isClockSynchronized: this.#isClockSynchronized(),
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

  /** Thermal zones give thousandths of a degree. */
  #temperature(): number | null {
    const zones = this.#list("sys/class/thermal").filter((name) => name.startsWith("thermal_zone"));
    const degrees = zones.map((zone) => Number.parseInt(this.#text(`sys/class/thermal/${zone}/temp`), 10) / 1_000);
    const sane = degrees.filter((value) => value > -60 && value < 150); // a sensor that is off reads as an extreme
    return sane.length === 0 ? null : rounded(Math.max(...sane), 1);
  }

  /** The Raspberry Pi firmware's word (bits 0 to 3 speak of now), else a cooling device of the processor that is at work. */
  #isThrottled(): boolean | null {
    const word = this.#text("sys/devices/platform/soc/soc:firmware/get_throttled").trim();
    if (/^[0-9a-fA-Fx]+$/.test(word)) return (Number.parseInt(word, 16) & 0xf) !== 0;
    const coolers = this.#list("sys/class/thermal").filter((name) => name.startsWith("cooling_device"));
    const slowing = coolers.filter((name) => /cpu|processor/i.test(this.#text(`sys/class/thermal/${name}/type`)));
    if (slowing.length === 0) return null;
    return slowing.some((name) => Number.parseInt(this.#text(`sys/class/thermal/${name}/cur_state`), 10) > 0);
  }

  /** eMMC says how much of its life is used in steps of ten percent, for two kinds of cells: JESD84-B51, EXT_CSD 268 and 269. */
  #wear(): number | null {
    const disks = this.#list("sys/block").filter((name) => /^mmcblk\d+$/.test(name));
    const steps = disks.flatMap((disk) =>
      this.#text(`sys/block/${disk}/device/life_time`)
        .split(/\s+/)
        .filter((word) => word.startsWith("0x"))
        .map((word) => Number.parseInt(word, 16)),
    );
    const known = steps.filter((step) => step >= 1 && step <= 11);
    return known.length === 0 ? null : 10 * Math.max(...known);
  }

  /** systemd-timesyncd leaves a file once it has set the clock; without its folder nothing is known. */
  #isClockSynchronized(): boolean | null {
    const names = this.#list("run/systemd/timesync");
    return names.length === 0 ? null : names.includes("synchronized");
  }

  #text(path: string): string {
    try {
      return readFileSync(join(this.#root, path), "utf8");
    } catch (error) {
      if (isUnavailable(error)) return "";
      throw error;
    }
  }

  #list(path: string): readonly string[] {
    try {
      return readdirSync(join(this.#root, path));
    } catch (error) {
      if (isUnavailable(error)) return [];
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
