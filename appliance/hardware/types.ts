/** Where hardware is looked at: files of /proc, /sys and /run, and programs where there are some. A test gives its own. */
export interface HardwareSource {
  /** Text of a file by its path without the first slash; empty when it cannot be read. */
  text(path: string): string;
  /** Names in a folder; none when it cannot be read. */
  list(path: string): readonly string[];
  /** What a program prints, also when it ends with an error; undefined when there is none or it takes too long. */
  run(words: readonly string[]): Promise<string | undefined>;
}

/** How much a disk has been used up. */
export type StorageLife = {
  readonly device: string;
  /** Share of the life used that the maker guarantees, percent; may exceed 100. */
  readonly usedPercent?: number;
  /** What is left of the spare blocks. */
  readonly reserve?: "normal" | "warning" | "urgent";
  /** What the disk itself says of its health; false means that it fails. */
  readonly isHealthy?: boolean;
  readonly source: "emmc" | "smart";
};

/** Heat and voltage. */
export type ThermalState = {
  /** The hottest of the machine's zones. */
  readonly celsius?: number;
  /** Whether the processor runs slower than it could, now. */
  readonly isThrottled?: boolean;
  readonly isUndervolted?: boolean;
  /** Whether either happened since the machine started. */
  readonly hasThrottled?: boolean;
  readonly hasUndervolted?: boolean;
};

/** How well the machine knows the time. */
export type ClockState = {
  readonly isSynchronized?: boolean;
  /** Who sets it. */
  readonly service?: "timesyncd" | "chrony";
  /** How far it may be off, ms. */
  readonly errorMs?: number;
  /** Whether there is a clock that goes on without power. */
  readonly hasRealTimeClock: boolean;
};

/** A circuit that restarts the machine when nothing feeds it. */
export type WatchdogState = {
  readonly name: string;
  readonly timeoutSeconds?: number;
  readonly isRunning?: boolean;
  readonly hasRestarted?: boolean;
};

/** What a machine's hardware is like now; a part that it does not tell is absent. */
export type HardwareReport = {
  readonly model?: string;
  readonly storage: readonly StorageLife[];
  /** File systems that should be writable and are not, by mount point. */
  readonly readOnly: readonly string[];
  readonly thermal: ThermalState;
  readonly clock: ClockState;
  readonly watchdog?: WatchdogState;
  /** Major version of the trusted platform module. */
  readonly tpm?: number;
  /** Whether the firmware started only what its keys signed; absent where it knows no Secure Boot. */
  readonly isSecureBoot?: boolean;
};
