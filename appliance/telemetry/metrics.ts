/** A figure's value; null: not known here. */
export type MetricValue = number | boolean | string | null;

/** The Sparkplug data types that are used. */
export type MetricType = "Int64" | "UInt64" | "Double" | "Boolean" | "String";

/** How a figure shows in Home Assistant; the words are those of its integrations. */
export type HomeAssistantLook = {
  readonly platform: "sensor" | "binary_sensor";
  readonly deviceClass?: "temperature" | "data_size" | "duration" | "connectivity" | "problem" | "heat";
  readonly stateClass?: "measurement" | "total_increasing";
  readonly icon?: string;
};

/** One figure: what it is, and when a change of it is worth a message. */
export type MetricSpec = {
  readonly doc: string;
  /** Name in Sparkplug, with folders. */
  readonly path: string;
  readonly type: MetricType;
  readonly unit?: string;
  /** A change up to this much is not told before the next heartbeat: absolute, or a share of the value, the larger. */
  readonly band: { readonly absolute?: number; readonly share?: number };
  /** Whether it is sent when every byte counts. */
  readonly isEssential: boolean;
  readonly homeAssistant?: HomeAssistantLook;
};

const measured = (icon: string): HomeAssistantLook => ({ platform: "sensor", stateClass: "measurement", icon });

/** Every figure of a node, in the order of the Sparkplug aliases; new ones are added at the end. */
export const METRICS = {
  height: {
    doc: "Height of the last final block.",
    path: "Chain/Height",
    type: "UInt64",
    band: {},
    isEssential: true,
    homeAssistant: { platform: "sensor", stateClass: "total_increasing", icon: "mdi:cube-outline" },
  },
  epoch: { doc: "Epoch of agreement.", path: "Chain/Epoch", type: "UInt64", band: {}, isEssential: false },
  view: { doc: "View of agreement within the epoch.", path: "Chain/View", type: "UInt64", band: { absolute: 100 }, isEssential: false },
  blockAgeSeconds: {
    doc: "Time since the last final block.",
    path: "Chain/Block Age",
    type: "Double",
    unit: "s",
    band: { absolute: 30, share: 0.5 },
    isEssential: true,
    homeAssistant: { platform: "sensor", deviceClass: "duration", stateClass: "measurement" },
  },
  blockDelayMs: {
    doc: "Time from a block's own time to its commit here: agreement plus the difference of the clocks.",
    path: "Chain/Block Delay",
    type: "Double",
    unit: "ms",
    band: { absolute: 100, share: 0.5 },
    isEssential: false,
  },
  voting: {
    doc: "What this node does in agreement: voting, following, greeting, recovering, mute or halted.",
    path: "Chain/Voting",
    type: "String",
    band: {},
    isEssential: true,
    homeAssistant: { platform: "sensor", icon: "mdi:vote-outline" },
  },
  isCatchingUp: {
    doc: "Whether more blocks are final than this node has.",
    path: "Chain/Catching Up",
    type: "Boolean",
    band: {},
    isEssential: true,
  },
  peers: {
    doc: "Validators connected.",
    path: "Network/Peers",
    type: "UInt64",
    band: {},
    isEssential: true,
    homeAssistant: measured("mdi:lan-connect"),
  },
  isReady: {
    doc: "Whether the node may serve: the answer at /readyz.",
    path: "Health/Ready",
    type: "Boolean",
    band: {},
    isEssential: true,
  },
  alerts: {
    doc: "Conditions that people must know of and that hold now.",
    path: "Health/Alerts",
    type: "UInt64",
    band: {},
    isEssential: true,
    homeAssistant: measured("mdi:alert-outline"),
  },
  pendingTransactions: {
    doc: "Transactions accepted and not ended.",
    path: "Mempool/Pending",
    type: "UInt64",
    band: { absolute: 10, share: 0.2 },
    isEssential: false,
    homeAssistant: measured("mdi:tray-full"),
  },
  pendingBytes: {
    doc: "Bytes of these transactions.",
    path: "Mempool/Pending Size",
    type: "UInt64",
    unit: "B",
    band: { absolute: 16_384, share: 0.2 },
    isEssential: false,
  },
  acceptedTransactions: {
    doc: "Transactions accepted since the start: durable here.",
    path: "Mempool/Accepted",
    type: "UInt64",
    band: { absolute: 50, share: 0.01 },
    isEssential: false,
    homeAssistant: { platform: "sensor", stateClass: "total_increasing", icon: "mdi:counter" },
  },
  rejectedTransactions: {
    doc: "Transactions refused since the start.",
    path: "Mempool/Rejected",
    type: "UInt64",
    band: { absolute: 50, share: 0.05 },
    isEssential: false,
  },
  isAdmitting: { doc: "Whether transactions are taken.", path: "Mempool/Admitting", type: "Boolean", band: {}, isEssential: true },
  diskFreeBytes: {
    doc: "Free bytes of the disk of the home.",
    path: "Storage/Free",
    type: "UInt64",
    unit: "B",
    band: { absolute: 16_777_216, share: 0.02 },
    isEssential: true,
    homeAssistant: { platform: "sensor", deviceClass: "data_size", stateClass: "measurement" },
  },
  writtenBytes: {
    doc: "Bytes that the process has caused to be written to disk.",
    path: "Storage/Written",
    type: "UInt64",
    unit: "B",
    band: { absolute: 4_194_304, share: 0.05 },
    isEssential: false,
    homeAssistant: { platform: "sensor", deviceClass: "data_size", stateClass: "total_increasing" },
  },
  journalSyncMs: {
    doc: "Average time of a sync of the batch journal.",
    path: "Storage/Journal Sync",
    type: "Double",
    unit: "ms",
    band: { absolute: 5, share: 0.5 },
    isEssential: false,
  },
  journalBytes: {
    doc: "Bytes of the batch journal.",
    path: "Storage/Journal Size",
    type: "UInt64",
    unit: "B",
    band: { absolute: 1_048_576, share: 0.1 },
    isEssential: false,
  },
  storageWearPercent: {
    doc: "Estimated life used of the eMMC that the machine has, in steps of ten.",
    path: "Storage/Wear",
    type: "UInt64",
    unit: "%",
    band: {},
    isEssential: true,
    homeAssistant: measured("mdi:sd"),
  },
  eventLoopLagMs: {
    doc: "How late timers fire, 99th percentile of the last samples.",
    path: "Process/Event Loop Lag",
    type: "Double",
    unit: "ms",
    band: { absolute: 5, share: 0.5 },
    isEssential: false,
    homeAssistant: { platform: "sensor", deviceClass: "duration", stateClass: "measurement" },
  },
  residentBytes: {
    doc: "Memory of the process.",
    path: "Process/Memory",
    type: "UInt64",
    unit: "B",
    band: { absolute: 4_194_304, share: 0.1 },
    isEssential: false,
    homeAssistant: { platform: "sensor", deviceClass: "data_size", stateClass: "measurement" },
  },
  cpuPercent: {
    doc: "Processor time of the process since the sample before; 100 is one core.",
    path: "Process/CPU",
    type: "Double",
    unit: "%",
    band: { absolute: 10, share: 0.25 },
    isEssential: false,
    homeAssistant: measured("mdi:cpu-64-bit"),
  },
  uptimeSeconds: {
    doc: "Time since the node started.",
    path: "Process/Uptime",
    type: "UInt64",
    unit: "s",
    band: { absolute: 86_400 },
    isEssential: true,
    homeAssistant: { platform: "sensor", deviceClass: "duration", stateClass: "total_increasing" },
  },
  memoryAvailableBytes: {
    doc: "Memory of the machine that programs can still have.",
    path: "Machine/Memory Available",
    type: "UInt64",
    unit: "B",
    band: { absolute: 67_108_864, share: 0.2 },
    isEssential: false,
  },
  loadAverage: {
    doc: "Processes that ran or waited, average of a minute.",
    path: "Machine/Load",
    type: "Double",
    band: { absolute: 0.5, share: 0.5 },
    isEssential: false,
  },
  temperatureCelsius: {
    doc: "Highest temperature of the machine's thermal zones.",
    path: "Machine/Temperature",
    type: "Double",
    unit: "°C",
    band: { absolute: 2 },
    isEssential: true,
    homeAssistant: { platform: "sensor", deviceClass: "temperature", stateClass: "measurement" },
  },
  isThrottled: {
    doc: "Whether the processor is slowed down for heat or low voltage.",
    path: "Machine/Throttled",
    type: "Boolean",
    band: {},
    isEssential: true,
    homeAssistant: { platform: "binary_sensor", deviceClass: "problem" },
  },
  isClockSynchronized: {
    doc: "Whether the system's time service says that it has set the clock.",
    path: "Machine/Clock Synchronized",
    type: "Boolean",
    band: {},
    isEssential: true,
  },
  telemetryBacklog: {
    doc: "Samples that wait to be sent.",
    path: "Telemetry/Backlog",
    type: "UInt64",
    band: { absolute: 50, share: 0.5 },
    isEssential: false,
  },
  telemetryBytes: {
    doc: "Bytes published to external brokers since the start, packet heads included.",
    path: "Telemetry/Bytes",
    type: "UInt64",
    unit: "B",
    band: { absolute: 262_144, share: 0.1 },
    isEssential: false,
  },
  isUndervolted: {
    doc: "Whether the power supply gives too little voltage.",
    path: "Machine/Undervolted",
    type: "Boolean",
    band: {},
    isEssential: true,
    homeAssistant: { platform: "binary_sensor", deviceClass: "problem" },
  },
  storageReserve: {
    doc: "Spare blocks of the eMMC: 1 enough, 2 most are used, 3 nearly none is left.",
    path: "Storage/Reserve",
    type: "UInt64",
    band: {},
    isEssential: true,
  },
  isStorageReadOnly: {
    doc: "Whether the file system of the home has turned read-only.",
    path: "Storage/Read Only",
    type: "Boolean",
    band: {},
    isEssential: true,
    homeAssistant: { platform: "binary_sensor", deviceClass: "problem" },
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;

/** Name of a figure. */
export type MetricName = keyof typeof METRICS;

/** Every name, in the order of the table. */
export const METRIC_NAMES: readonly MetricName[] = Object.keys(METRICS).filter(isMetricName);

/** Whether a text names a figure. */
export function isMetricName(text: string): text is MetricName {
  return Object.hasOwn(METRICS, text);
}

/** What is known of a figure. */
export function metricSpec(name: MetricName): MetricSpec {
  return METRICS[name];
}

/** Values by name; an absent one is not known. */
export type MetricValues = { readonly [N in MetricName]?: MetricValue };
