import { BACKUP_SETTINGS } from "./backup-settings.ts";
import {
  choiceSetting,
  flagSetting,
  integerSetting,
  listenSetting,
  listSetting,
  optionalListenSetting,
  type Setting,
  textSetting,
} from "./setting.ts";
import { SYNC_SETTINGS } from "./sync-settings.ts";

/** Version of the configuration document; a node refuses one it does not know. */
export const CONFIGURATION_VERSION = 1;

const MIB = 1024 * 1024;

/** A file, empty for none. */
function pathSetting(doc: string): Setting<string> {
  return textSetting({
    pattern: /^[^\0]{0,4096}$/,
    expected: "a path, relative to the home when it does not start with /",
    fallback: "",
    doc,
  });
}

/**
 * Every setting of a node, by section and key. The table is the schema: keys, checks, defaults, help and the template
 * of node.toml all come from it.
 */
export const SETTINGS = {
  node: {
    id: textSetting({
      pattern: /^[A-Za-z0-9_-]{0,64}$/,
      expected: "up to 64 of A-Z, a-z, 0-9, _ and -",
      fallback: "",
      doc: "Name of this node in status, topics and events; empty: derived from its key.",
    }),
  },
  http: {
    listen: listenSetting({
      fallback: { host: "127.0.0.1", port: 8645 },
      doc: "Address and port of the HTTP interface; anything but loopback lets other machines in.",
    }),
    bodyBytesMax: integerSetting({ min: 16_384, max: 64 * MIB, fallback: 2 * MIB, doc: "Bytes of one request body." }),
    transactionsPerRequestMax: integerSetting({ min: 1, max: 65_536, fallback: 2_048, doc: "Transactions in one submission." }),
    requestsInFlightMax: integerSetting({
      min: 1,
      max: 65_536,
      fallback: 1_024,
      doc: "Requests answered at the same time; more are refused with 503.",
    }),
    requestDeadlineMs: integerSetting({
      min: 100,
      max: 600_000,
      fallback: 10_000,
      doc: "Milliseconds a request may take, waiting for finality aside.",
    }),
    waitsMax: integerSetting({
      min: 0,
      max: 65_536,
      fallback: 1_024,
      doc: "Requests waiting for finality at the same time; more are refused with 503.",
    }),
    waitMsMax: integerSetting({ min: 0, max: 60_000, fallback: 60_000, doc: "Milliseconds a request may wait for finality." }),
    streamsMax: integerSetting({
      min: 0,
      max: 65_536,
      fallback: 256,
      doc: "Event streams open at the same time; more are refused with 503.",
    }),
    streamHeartbeatMs: integerSetting({
      min: 1_000,
      max: 60_000,
      fallback: 15_000,
      doc: "Milliseconds between heartbeats of an idle event stream.",
    }),
    streamStallMs: integerSetting({
      min: 1_000,
      max: 600_000,
      fallback: 30_000,
      doc: "Milliseconds a stream's reader may take nothing before it is disconnected (it resumes by cursor).",
    }),
    ratePerSecond: integerSetting({ min: 0, max: 1_000_000, fallback: 100, doc: "Requests a second from one address; 0: no limit." }),
    rateBurst: integerSetting({ min: 1, max: 1_000_000, fallback: 200, doc: "Requests one address may make at once." }),
    rateLoopbackPerSecond: integerSetting({
      min: 0,
      max: 1_000_000,
      fallback: 100_000,
      doc: "Requests a second from this machine itself; 0: no limit.",
    }),
    shutdownDeadlineMs: integerSetting({
      min: 0,
      max: 600_000,
      fallback: 5_000,
      doc: "Milliseconds that running requests get at shutdown.",
    }),
  },
  mqtt: {
    listen: optionalListenSetting({
      doc: "Address and port of the device broker over TCP; anything but loopback lets devices of other machines in, unencrypted.",
    }),
    tlsListen: optionalListenSetting({ doc: "Address and port of the device broker over TLS; needs mqtt.certificate and mqtt.key." }),
    webSocketListen: optionalListenSetting({
      doc: "Address and port of the device broker over WebSocket, at /mqtt; encrypted when mqtt.certificate is set.",
    }),
    webSocketOrigins: listSetting({
      pattern: /^https?:\/\/[^\s/,]{1,255}$/,
      expected: "origins such as https://plant.example",
      itemsMax: 64,
      doc: "Pages that may connect over WebSocket, beside those of this machine and of the address dialled.",
    }),
    certificate: pathSetting("Certificate chain of the device broker, PEM."),
    key: pathSetting("Private key of the certificate, PEM, readable by its owner alone."),
    clientCa: pathSetting("Authority whose client certificates name devices, PEM; empty: none are asked for."),
    clientCertificate: choiceSetting({
      choices: ["optional", "required"],
      fallback: "optional",
      doc: "With mqtt.clientCa: whether a client over TLS without a certificate may log in otherwise.",
    }),
    anonymous: choiceSetting({
      choices: ["off", "loopback", "all"],
      fallback: "loopback",
      doc: "From where clients without certificate and login are let in, each as the device its client id names.",
    }),
    connectionsMax: integerSetting({
      min: 1,
      max: 100_000,
      fallback: 10_000,
      doc: "MQTT connections at the same time; more are turned away.",
    }),
    connectionsPerAddressMax: integerSetting({
      min: 1,
      max: 100_000,
      fallback: 2_000,
      doc: "MQTT connections of one address at the same time; more are turned away.",
    }),
    connectsPerSecond: integerSetting({ min: 1, max: 100_000, fallback: 200, doc: "New MQTT connections a second of one address." }),
    packetBytesMax: integerSetting({ min: 16_384, max: 16 * MIB, fallback: MIB, doc: "Bytes of one MQTT packet." }),
    transactionsPerSubmissionMax: integerSetting({ min: 1, max: 65_536, fallback: 2_048, doc: "Transactions in one MQTT submission." }),
    receiptsMax: integerSetting({
      min: 1,
      max: 1_000_000,
      fallback: 100_000,
      doc: "Transactions submitted over MQTT whose last receipt is still owed; beyond it submissions are refused with quotaExceeded.",
    }),
  },
  network: {
    listen: listenSetting({
      fallback: { host: "127.0.0.1", port: 8646 },
      doc: "Address and port for other nodes; anything but loopback lets other machines connect. A chain of one validator opens it only with peers named or looked for, or a webRtcPort.",
    }),
    webRtcPort: integerSetting({
      min: 0,
      max: 65_535,
      fallback: 0,
      doc: "UDP port for browsers and devices that speak WebRTC, on the host of network.listen; 0: none.",
    }),
    peers: listSetting({
      pattern: /^(?:(?:[0-9A-Fa-f]{64}@)?\S{1,255}:\d{1,5}|\/\S{1,511})$/,
      expected: "host:port, KEY@host:port or a multiaddr",
      itemsMax: 256,
      doc: "Nodes to stay connected to, dialled for ever; KEY is the public key expected there, in hex.",
    }),
    relay: choiceSetting({
      choices: ["off", "on"],
      fallback: "off",
      doc: "on: validators and nodes of network.allow that cannot reach each other may do so through this node, up to 64 of them.",
    }),
    relays: listSetting({
      pattern: /^(?:(?:[0-9A-Fa-f]{64}@)?\S{1,255}:\d{1,5}|\/\S{1,511})$/,
      expected: "host:port, KEY@host:port or a multiaddr",
      itemsMax: 4,
      doc: "Nodes with network.relay on, for a node behind a router that others cannot dial: they reach it through these.",
    }),
    announce: listSetting({
      pattern: /^(?:\S{1,255}:\d{1,5}|\/\S{1,299})$/,
      expected: "host:port or a multiaddr",
      itemsMax: 4,
      doc: "Where other nodes reach this one, told to them; empty: the addresses it listens on, without those of this machine alone.",
    }),
    discovery: choiceSetting({
      choices: ["off", "lan"],
      fallback: "off",
      doc: "lan: look for nodes of this chain on the local network by multicast DNS and be found there, beside the peers named.",
    }),
    allow: listSetting({
      pattern: /^[0-9a-f]{64}$/,
      expected: "keys as 64 lower-case hex digits",
      itemsMax: 1_024,
      doc: "Keys of nodes that are let in beyond the places for observers.",
    }),
    observersMax: integerSetting({
      min: 0,
      max: 4_096,
      fallback: 32,
      doc: "Nodes let in that are neither validators nor on the allow-list; others are refused.",
    }),
    pingMs: integerSetting({
      min: 500,
      max: 120_000,
      fallback: 5_000,
      doc: "Milliseconds of silence after which a peer is asked for a sign of life; after three of them it counts as gone.",
    }),
    batchBytesPerSecond: integerSetting({
      min: 65_536,
      max: 1_024 * MIB,
      fallback: 32 * MIB,
      doc: "Bytes of batches a second taken from one validator; beyond it the validator waits.",
    }),
    blockBytesPerSecond: integerSetting({
      min: 65_536,
      max: 1_024 * MIB,
      fallback: 16 * MIB,
      doc: "Bytes of blocks a second taken from one validator while catching up; beyond it the validator waits.",
    }),
  },
  mempool: {
    bytesMax: integerSetting({
      min: MIB,
      max: 4_096 * MIB,
      fallback: 64 * MIB,
      doc: "Bytes of pending transactions; beyond it admission answers mempoolFull.",
    }),
    transactionsMax: integerSetting({
      min: 1,
      max: 10_000_000,
      fallback: 100_000,
      doc: "Pending transactions; beyond it admission answers mempoolFull.",
    }),
    accountBytesMax: integerSetting({
      min: 16_384,
      max: 1_024 * MIB,
      fallback: 8 * MIB,
      doc: "Bytes of pending transactions of one account.",
    }),
    accountTransactionsMax: integerSetting({ min: 1, max: 1_000_000, fallback: 2_048, doc: "Pending transactions of one account." }),
    sourceBytesMax: integerSetting({
      min: 16_384,
      max: 1_024 * MIB,
      fallback: 16 * MIB,
      doc: "Bytes of pending transactions that came from one address.",
    }),
    sourceTransactionsMax: integerSetting({
      min: 1,
      max: 1_000_000,
      fallback: 25_000,
      doc: "Pending transactions that came from one address.",
    }),
    lingerMs: integerSetting({
      min: 0,
      max: 1_000,
      fallback: 0,
      doc: "Milliseconds a transaction waits for company in its batch, at most: fewer writes, later answers. 0: by the profile, 20 (lan) or 40 (wan).",
    }),
    acknowledgement: choiceSetting({
      choices: ["local", "replicated"],
      fallback: "local",
      doc: "When a submission is answered without ?ack=: durable here, or held durably by more than the tolerated faulty weight.",
    }),
  },
  consensus: {
    profile: choiceSetting({
      choices: ["lan", "wan"],
      fallback: "lan",
      doc: "Timers: lan for boxes on one network, wan for uplinks and flash.",
    }),
  },
  storage: {
    checkpointBlocks: integerSetting({ min: 1, max: 1_000_000, fallback: 20_000, doc: "Blocks between checkpoints of the state." }),
    checkpointSeconds: integerSetting({
      min: 1,
      max: 86_400,
      fallback: 86_400,
      doc: "Seconds between checkpoints of the state while it changes.",
    }),
    archive: flagSetting({
      fallback: false,
      doc: "Keep every block for ever and tell peers so, who send those here that ask for what they have pruned; keepBlocks and keepEpochs then count for nothing.",
    }),
    keepBlocks: integerSetting({
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      fallback: 0,
      doc: "Blocks kept with their batches, receipts and events, at least 256; 0: no bound. What set and state need is kept in any case.",
    }),
    keepEpochs: integerSetting({
      min: 0,
      max: 1_000_000,
      fallback: 0,
      doc: "Epochs before the running one whose blocks are kept; 0: no bound. With keepBlocks, whichever keeps more counts; with neither, nothing is pruned.",
    }),
    snapshotBlocks: integerSetting({
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
      fallback: 10_000,
      doc: "A node without a chain takes a snapshot of its peers when that is so many blocks long at least; 0: never, it executes every block.",
    }),
    freeBytesMin: integerSetting({
      min: 8 * MIB,
      max: 1_048_576 * MIB,
      fallback: 64 * MIB,
      doc: "Free bytes of the disk below which transactions of clients are refused; others' batches are still taken, and voting goes on.",
    }),
    freeBytesReserve: integerSetting({
      min: 0,
      max: 1_048_576 * MIB,
      fallback: 0,
      doc: "Free bytes of the disk below which nothing is taken in, so that the node stops voting until there is room; 0: a quarter of freeBytesMin.",
    }),
    freeBytesWarn: integerSetting({
      min: 8 * MIB,
      max: 1_048_576 * MIB,
      fallback: 512 * MIB,
      doc: "Free bytes of the disk below which the node warns.",
    }),
  },
  keys: {
    passphraseFile: textSetting({
      pattern: /^[^\0]{0,4096}$/,
      expected: "a path, relative to the home when it does not start with /",
      fallback: "",
      doc: "File holding the passphrase of the node's keys, readable by its owner alone; empty: the keys' own way.",
    }),
    bindToHardware: choiceSetting({
      choices: ["on", "off"],
      fallback: "on",
      doc: "Whether the validator key signs only on the machine it is bound to; off where a platform moves the home between machines and runs it once.",
    }),
  },
  telemetry: {
    url: textSetting({
      pattern: /^(?:(?:mqtts?|wss?):\/\/[^\s@]{1,500})?$/,
      expected: "mqtt://, mqtts://, ws:// or wss:// with host and port, without a login; or nothing",
      fallback: "",
      doc: "An outside MQTT broker that is told what the node's own broker is told; empty: none.",
    }),
    mqttVersion: choiceSetting({ choices: ["5", "3.1.1"], fallback: "5", doc: "Protocol that the outside broker speaks." }),
    clientId: textSetting({
      pattern: /^[A-Za-z0-9_-]{0,100}$/,
      expected: "up to 100 of A-Z, a-z, 0-9, _ and -",
      fallback: "",
      doc: "Start of the client ids at the outside broker; empty: bizra- and the node's id.",
    }),
    username: textSetting({
      pattern: /^[^\0]{0,256}$/,
      expected: "a name",
      fallback: "",
      doc: "Login at the outside broker; empty: none.",
    }),
    passwordFile: textSetting({
      pattern: /^[^\0]{0,4096}$/,
      expected: "a path, relative to the home when it does not start with /",
      fallback: "",
      doc: "File holding the password of that login; empty: none.",
    }),
    caFile: textSetting({
      pattern: /^[^\0]{0,4096}$/,
      expected: "a path, relative to the home when it does not start with /",
      fallback: "",
      doc: "PEM of the authorities that the outside broker's certificate must come from; empty: those that the system trusts.",
    }),
    certificateFile: textSetting({
      pattern: /^[^\0]{0,4096}$/,
      expected: "a path, relative to the home when it does not start with /",
      fallback: "",
      doc: "PEM of this node's client certificate at the outside broker; empty: none.",
    }),
    keyFile: textSetting({
      pattern: /^[^\0]{0,4096}$/,
      expected: "a path, relative to the home when it does not start with /",
      fallback: "",
      doc: "PEM of that certificate's private key; empty: none.",
    }),
    profile: choiceSetting({
      choices: ["unmetered", "metered", "emergency"],
      fallback: "unmetered",
      doc: "How much the outside broker is told: everything often, changes that matter, or what is vital.",
    }),
    sparkplugGroup: textSetting({
      pattern: /^[^+/#\0]{0,64}$/,
      expected: "up to 64 characters without +, / and #",
      fallback: "bizra",
      doc: "Group id of this node as a Sparkplug B edge node; empty: it is none.",
    }),
    sparkplugHost: textSetting({
      pattern: /^[^+/#\0]{0,64}$/,
      expected: "up to 64 characters without +, / and #",
      fallback: "",
      doc: "Id of the primary Sparkplug host, without which the edge node tells nothing and keeps its figures; empty: none.",
    }),
    homeAssistantPrefix: textSetting({
      pattern: /^[A-Za-z0-9_/-]{0,64}$/,
      expected: "up to 64 of A-Z, a-z, 0-9, _, - and /",
      fallback: "homeassistant",
      doc: "Discovery prefix of Home Assistant; empty: it is told nothing.",
    }),
    fleetKeys: listSetting({
      pattern: /^(?:viewer|operator|admin):[0-9a-fA-F]{64}$/,
      expected: "viewer:KEY, operator:KEY or admin:KEY with KEY in hex",
      itemsMax: 64,
      doc: "Public keys that may command this node over MQTT, each with its role; none: no command is heard.",
    }),
  },
  sync: SYNC_SETTINGS,
  backup: BACKUP_SETTINGS,
  log: {
    level: choiceSetting({ choices: ["debug", "info", "warn", "error"], fallback: "info", doc: "Least level that is logged." }),
  },
} as const;

type Sections = typeof SETTINGS;
type ValueOf<S> = S extends Setting<infer T> ? T : never;

/** The values in force, by section and key. */
export type Configuration = {
  readonly [Section in keyof Sections]: { readonly [Key in keyof Sections[Section]]: ValueOf<Sections[Section][Key]> };
};

/** A setting with the names under which each source knows it. */
export type NamedSetting = {
  readonly section: string;
  readonly name: string;
  /** Dotted key, e.g. `http.bodyBytesMax`. */
  readonly key: string;
  /** Environment variable, e.g. `BIZRA_HTTP_BODY_BYTES_MAX`. */
  readonly variable: string;
  /** Flag without its dashes, e.g. `http-body-bytes-max`. */
  readonly flag: string;
  readonly setting: Setting<unknown>;
};

/** Every setting in the order of the table. */
export const NAMED_SETTINGS: readonly NamedSetting[] = Object.entries(SETTINGS).flatMap(([section, settings]) =>
  Object.entries(settings).map(([name, setting]) => nameSetting(section, name, setting as Setting<unknown>)),
);

function nameSetting(section: string, name: string, setting: Setting<unknown>): NamedSetting {
  const words = `${section}-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return { section, name, key: `${section}.${name}`, variable: `BIZRA_${words.replaceAll("-", "_").toUpperCase()}`, flag: words, setting };
}
