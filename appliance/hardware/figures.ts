import { readFigures } from "./reading.ts";
import type { HardwareSource } from "./types.ts";

/** Figures of the hardware by the names that telemetry and alerts know them by; null: not known here. */
export type HardwareFigures = {
  readonly temperatureCelsius: number | null;
  readonly isThrottled: boolean | null;
  readonly isUndervolted: boolean | null;
  readonly storageWearPercent: number | null;
  /** 1 normal, 2 warning, 3 urgent, as EXT_CSD counts. */
  readonly storageReserve: number | null;
  readonly isStorageReadOnly: boolean | null;
  readonly isClockSynchronized: boolean | null;
};

/** Reads the figures of the hardware for the sampler and the watch: small files, synchronously; no program is run. */
export class HardwareFiguresReader {
  readonly #source: HardwareSource;
  readonly #paths: readonly string[];

  /** @param paths that should be writable */
  constructor(source: HardwareSource, paths: readonly string[]) {
    this.#source = source;
    this.#paths = paths;
  }

  read(): HardwareFigures {
    const { storage, readOnly, thermal, clock } = readFigures(this.#source, this.#paths);
    const used = storage.flatMap(({ usedPercent }) => usedPercent ?? []);
    const reserves = storage.flatMap(({ reserve }) => (reserve === undefined ? [] : [RESERVES.indexOf(reserve) + 1]));
    return {
      temperatureCelsius: thermal.celsius ?? null,
      isThrottled: thermal.isThrottled ?? null,
      isUndervolted: thermal.isUndervolted ?? null,
      storageWearPercent: used.length === 0 ? null : Math.max(...used),
      storageReserve: reserves.length === 0 ? null : Math.max(...reserves),
      isStorageReadOnly: this.#source.text("proc/mounts") === "" ? null : readOnly.length > 0,
      isClockSynchronized: clock.isSynchronized ?? null,
    };
  }
}

const RESERVES = ["normal", "warning", "urgent"] as const;
