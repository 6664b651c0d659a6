/** What is known of the machine under a node; a figure that nobody has is absent and raises nothing. */
export type HardwareSample = {
  readonly temperatureCelsius?: number;
  readonly isThrottled?: boolean;
  readonly isUndervolted?: boolean;
  readonly storageWearPercent?: number;
  /** Spare blocks: 1 enough, 2 most are used, 3 nearly none is left. */
  readonly storageReserve?: number;
  readonly isStorageReadOnly?: boolean;
  readonly isClockSynchronized?: boolean;
};

/** As an alert condition, of which it is one, but for looking at the machine alone. */
type HardwareCondition = {
  readonly name: string;
  readonly severity: "critical" | "warning";
  readonly remedy: string;
  readonly findReason: (sample: HardwareSample) => string | undefined;
};

/** Conditions of the machine under a node, the most urgent first. */
export const HARDWARE_CONDITIONS: readonly HardwareCondition[] = [
  {
    name: "storage-read-only",
    severity: "critical",
    remedy: "look at the kernel's log for errors of the disk, and replace it; the node can be restored onto another",
    findReason: ({ isStorageReadOnly }) =>
      isStorageReadOnly === true ? "the file system of the home takes no writes any more, as when its disk fails" : undefined,
  },
  {
    name: "storage-worn-out",
    severity: "critical",
    remedy: "replace the disk, or the box, before it fails; restore the node onto the new one",
    findReason: ({ storageReserve = 0, storageWearPercent = 0 }) => {
      if (storageReserve >= 3) return "the disk has used nearly all of its spare blocks";
      return storageWearPercent >= 100 ? `the disk has used ${storageWearPercent} % of its life` : undefined;
    },
  },
  {
    name: "storage-wearing-out",
    severity: "warning",
    remedy: "plan to replace the disk or the box",
    findReason: ({ storageReserve = 0, storageWearPercent = 0 }) => {
      if (storageReserve >= 3 || storageWearPercent >= 100) return undefined;
      if (storageReserve === 2) return "the disk has used most of its spare blocks";
      return storageWearPercent >= 80 ? `the disk has used ${storageWearPercent} % of its life` : undefined;
    },
  },
  {
    name: "power-weak",
    severity: "warning",
    remedy: "use a stronger power supply, or a shorter cable",
    findReason: ({ isUndervolted }) =>
      isUndervolted === true ? "the power supply gives too little voltage, so the processor slows down" : undefined,
  },
  {
    name: "too-hot",
    severity: "warning",
    remedy: "cool the box: give it air, a heat sink or a fan",
    findReason: ({ temperatureCelsius: degrees, isThrottled, isUndervolted }) => {
      if (degrees !== undefined && degrees >= 80) return `the machine is at ${degrees} degrees Celsius`;
      return isThrottled === true && isUndervolted !== true ? "the processor is slowed down for heat" : undefined;
    },
  },
  {
    name: "clock-unset",
    severity: "warning",
    remedy: "check the time servers and the way there",
    findReason: ({ isClockSynchronized }) =>
      isClockSynchronized === false ? "the clock has not been set over the network since the start" : undefined,
  },
];
