/**
 * The architecture as a table: which folder stands on which floor, what may be imported from where, and which outside
 * capability lives in which file. docs/architecture.md says why; this says it so that a machine can hold us to it.
 */

/** A folder that is one unit of the architecture: its files import one another freely. */
export type Area = {
  readonly folder: string;
  /** Files import from areas on lower floors. */
  readonly floor: number;
  /** Where the floor alone allows too much: the only areas it may import. */
  readonly only?: readonly string[];
};

/** Every area. A file under src/, appliance/, image/ or sync/ that no area holds is an error. */
export const AREAS: readonly Area[] = [
  { folder: "src/kernel", floor: 0 },
  { folder: "src/crypto", floor: 1 },
  { folder: "src/protocol", floor: 2 },
  { folder: "src/ledger", floor: 3 },
  { folder: "src/consensus", floor: 3 },
  { folder: "src/device", floor: 3, only: ["src/crypto", "src/kernel", "src/protocol"] },
  { folder: "src/storage", floor: 4 },
  { folder: "src/state", floor: 4 },
  { folder: "src/mempool", floor: 4 },
  { folder: "src/blocks", floor: 4 },
  { folder: "src/validator", floor: 4 },
  { folder: "src/events", floor: 4 },
  { folder: "src/identity", floor: 4 },
  { folder: "src/monitoring", floor: 4 },
  { folder: "src/config", floor: 4 },
  { folder: "src/network", floor: 4 },
  { folder: "src/page", floor: 4, only: ["src/kernel"] },
  { folder: "src/gateway", floor: 5 },
  { folder: "appliance/broker", floor: 5 },
  { folder: "appliance/telemetry", floor: 5 },
  { folder: "appliance/hardware", floor: 5 },
  { folder: "appliance/provisioning", floor: 5 },
  { folder: "appliance/supervisor", floor: 5 },
  { folder: "appliance/ota", floor: 5 },
  { folder: "appliance/console", floor: 5 },
  { folder: "image", floor: 5 },
  { folder: "sync/protocol", floor: 4, only: ["src/kernel", "src/crypto", "src/protocol"] },
  { folder: "sync/agent", floor: 5 },
  {
    folder: "sync/restore",
    floor: 5,
    only: ["src/kernel", "src/crypto", "src/protocol", "src/state", "src/storage", "sync/protocol"],
  },
  {
    folder: "sync/aggregator",
    floor: 5,
    only: [
      "src/kernel",
      "src/crypto",
      "src/protocol",
      "src/events",
      "src/storage",
      "src/monitoring",
      "src/config",
      "src/page",
      "sync/protocol",
    ],
  },
  { folder: "src/node", floor: 6 },
  { folder: "src/cli", floor: 7 },
  { folder: "src/main.ts", floor: 8 },
];

/** Folders whose files make up the product, as opposed to what proves or builds it. */
export const PRODUCT_FOLDERS = ["src", "appliance", "image", "sync"] as const;

/**
 * Imports between areas of one floor that are wanted. The contexts of floor 4 keep their tables and files through
 * storage/, which knows none of them.
 */
export const SIDEWAYS: readonly { readonly fromFloor: number; readonly to: string }[] = [{ fromFloor: 4, to: "src/storage" }];

/**
 * The files of an area that other areas may import; index.ts where none is named. crypto/portable.ts,
 * events/portable.ts, network/portable.ts and page/browser.ts are the doors for code that must also run in a browser, node/ports.ts and node/version.ts those for
 * commands that need a clock or the version but no node.
 */
export const FRONT_DOORS: Readonly<Record<string, readonly string[]>> = {
  "src/crypto": ["index.ts", "portable.ts"],
  "src/events": ["index.ts", "portable.ts"],
  "src/network": ["index.ts", "portable.ts"],
  "src/node": ["index.ts", "ports.ts", "version.ts"],
  "src/page": ["index.ts", "browser.ts"],
};

/** Doors outside the product that one area may enter. The simulator is part of the binary (docs/adr/simulator-in-the-binary.md). */
export const OUTSIDE_DOORS: readonly { readonly from: string; readonly to: string }[] = [{ from: "src/cli", to: "test/sim/index.ts" }];

/** A capability that only some files may touch. */
export type Containment = {
  /** What it is, for the message. */
  readonly what: string;
  /** Modules, as imported. A trailing slash-star takes in everything below. */
  readonly modules?: readonly string[];
  /** Names used, as written from a global or an imported name: "Date.now", "node:crypto#randomBytes", "new Date()". */
  readonly uses?: readonly string[];
  /** The paths that may: files, or folders with a trailing slash; a star stands for one path segment or a part of it. */
  readonly allowed: readonly string[];
};

const PORTS = "src/node/ports.ts";
/** The same for devices and pages, which run without a node. */
const DEVICE_PORTS = "src/device/ports.ts";
/** The same for consoles in a browser. */
const CONSOLE_PORTS = "src/page/browser-ports.ts";

/** What architecture.md contains, and what follows from it. */
export const CONTAINMENTS: readonly Containment[] = [
  {
    what: "SQLite",
    modules: ["bun:sqlite", "node:sqlite"],
    allowed: ["src/storage/", "src/*/store.ts", "appliance/*/store.ts", "sync/*/store.ts"],
  },
  {
    what: "libp2p",
    modules: ["libp2p", "libp2p/*", "@libp2p/*", "@chainsafe/*", "@multiformats/*", "libsodium-wrappers"],
    allowed: ["src/network/"],
  },
  { what: "X.509", modules: ["@peculiar/x509"], allowed: ["src/crypto/x509.ts"] },
  { what: "an MQTT client", modules: ["mqtt"], allowed: ["appliance/telemetry/"] },
  { what: "the MQTT codec", modules: ["mqtt-packet"], allowed: ["appliance/broker/"] },
  { what: "the C library", modules: ["bun:ffi"], allowed: ["appliance/supervisor/notify-socket.ts"] },
  { what: "age", modules: ["age-encryption"], allowed: ["sync/restore/"] },
  { what: "PostgreSQL", uses: ["Bun.SQL"], allowed: ["sync/aggregator/stores/"] },
  { what: "a message bus", modules: ["@nats-io/*", "@platformatic/kafka"], allowed: ["sync/aggregator/bus/"] },
  { what: "an object store", uses: ["Bun.S3Client"], allowed: ["src/storage/objects/"] },
  { what: "what programs say of the machine", modules: ["systeminformation"], allowed: ["appliance/telemetry/"] },
  { what: "WebSockets of Node", modules: ["ws"], allowed: ["sync/aggregator/front/"] },
  { what: "a metrics registry", modules: ["prom-client"], allowed: ["src/monitoring/"] },
  { what: "a logger", modules: ["pino"], allowed: ["src/monitoring/"] },
  { what: "Hono", modules: ["hono", "hono/*", "@hono/*"], allowed: ["src/gateway/", "appliance/console/", "sync/aggregator/"] },
  { what: "the environment", uses: ["process.env", "Bun.env", "import.meta.env"], allowed: ["src/config/load.ts"] },
  { what: "the text of configuration files", modules: ["smol-toml"], uses: ["Bun.TOML"], allowed: ["src/config/"] },
  {
    what: "the real clock",
    uses: [
      "Date.now",
      "new Date()",
      "Date()",
      "performance.now",
      "performance.timeOrigin",
      "process.hrtime",
      "process.uptime",
      "Bun.nanoseconds",
      "node:perf_hooks#performance",
    ],
    allowed: [PORTS, DEVICE_PORTS, CONSOLE_PORTS],
  },
  {
    what: "real timers",
    modules: ["node:timers", "node:timers/promises"],
    uses: ["setTimeout", "setInterval", "setImmediate", "Bun.sleep", "Bun.sleepSync", "AbortSignal.timeout", "scheduler.wait", "Bun.cron"],
    allowed: [PORTS, DEVICE_PORTS, CONSOLE_PORTS],
  },
  {
    what: "real randomness",
    uses: [
      "Math.random",
      "crypto.getRandomValues",
      "crypto.randomUUID",
      "crypto.subtle.generateKey",
      "Bun.randomUUIDv7",
      "Bun.randomUUIDv5",
      "node:crypto#randomBytes",
      "node:crypto#randomFill",
      "node:crypto#randomFillSync",
      "node:crypto#randomInt",
      "node:crypto#randomUUID",
      "node:crypto#getRandomValues",
      "node:crypto#webcrypto",
      "node:crypto#generateKey",
      "node:crypto#generateKeySync",
      "node:crypto#generateKeyPair",
      "node:crypto#generateKeyPairSync",
      "@noble/hashes/utils.js#randomBytes",
      "@noble/curves/utils.js#randomBytes",
    ],
    allowed: [PORTS, DEVICE_PORTS],
  },
  { what: "the console", uses: ["console"], allowed: ["src/cli/", "src/main.ts", "image/"] },
  { what: "the end of the process", uses: ["process.exit", "process.abort"], allowed: ["src/cli/", "src/main.ts", "src/node/", "image/"] },
];
