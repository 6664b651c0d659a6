import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import {
  BANDWIDTH_PROFILES,
  type BrokerOptions,
  CommandDoor,
  DeviceRoll,
  fleetKeysOf,
  type Inventory,
  type LocalBroker,
  LocalConnector,
  MachineReader,
  MqttConnector,
  readHardware,
  readInventory,
  Sampler,
  TELEMETRY_APPLICATION_ID,
  TELEMETRY_MIGRATIONS,
  TELEMETRY_PAGE_BYTES,
  Telemetry,
  TelemetryStore,
} from "../../appliance/telemetry/index.ts";
import { event } from "../events/index.ts";
import type { CancelTimer, Log } from "../kernel/index.ts";
import type { EventLoopLag, MetricSource } from "../monitoring/index.ts";
import { networkIdOf } from "../protocol/index.ts";
import { type Database, isStorageError } from "../storage/index.ts";
import type { Contexts } from "./contexts.ts";
import { named, tellNotices } from "./files.ts";
import { hardwareReader } from "./hardware.ts";
import { HOME } from "./home.ts";
import type { NodeNetworking } from "./networking.ts";
import { systemPlatform } from "./platform.ts";
import { commandActions, type NodeControls } from "./remote-commands.ts";
import type { NodeSetup } from "./setup.ts";
import { StartRefused } from "./start-refused.ts";
import { nodeFacts, nodeReader } from "./telemetry-facts.ts";
import { VERSION } from "./version.ts";
import type { Watch } from "./watch.ts";

/** The hardware is looked at so long after the start, in milliseconds: the node votes by then, and nothing waits for it. */
const LOOK_AFTER_MS = 5_000;

/** What the node's telemetry stands on. */
export type NodeTelemetryParts = {
  readonly setup: NodeSetup;
  readonly contexts: Contexts;
  readonly networking: NodeNetworking | undefined;
  readonly lag: EventLoopLag;
  readonly watch: Watch;
  readonly controls: NodeControls;
  readonly log: Log;
  /** The node's own broker, where it has one. */
  readonly broker: LocalBroker | undefined;
  /** Tells what devices hand in there; the function ends it. */
  readonly submissions: ((listener: (device: string, isAccepted: boolean) => void) => () => void) | undefined;
};

/** Telemetry of a running node: its own broker's and that of the outside one, over one database. */
export class NodeTelemetry {
  readonly #telemetry: Telemetry;
  readonly #door: CommandDoor | undefined;
  readonly #database: Database;
  readonly #roll: DeviceRoll;
  readonly #parts: NodeTelemetryParts;
  #inventory: Inventory;
  #cancelLook: CancelTimer = () => {};
  #isStopped = false;
  #endRoll: () => void = () => {};

  /** Whether there is a broker to tell. */
  static isWanted({ configuration }: NodeSetup, broker: LocalBroker | undefined): boolean {
    return broker !== undefined || configuration.telemetry.url !== "";
  }

  /**
   * Opens telemetry.db and prepares; nothing is told yet.
   *
   * @throws StartRefused when a file of the settings, or telemetry.db, cannot be used
   */
  constructor(parts: NodeTelemetryParts) {
    const { setup, contexts, networking, lag, watch, controls, log, broker } = parts;
    const { clock, timers, suite } = systemPlatform;
    const { fleetKeys, homeAssistantPrefix } = setup.configuration.telemetry;
    this.#parts = parts;
    const brokers = brokersOf(setup, broker, log); // reads files, and may refuse: before anything is opened
    this.#database = named(setup.home, () => openStore(setup.home, contexts, log));
    tellNotices(this.#database, contexts.events, log);
    const store = new TelemetryStore(this.#database, log);
    const name = { network: networkIdOf(setup.genesis.hash), node: setup.nodeId };
    const inventory = readInventory();
    this.#inventory = inventory;
    const readers = [
      nodeReader({ setup, contexts, lag, watch, networking }),
      new MachineReader(clock),
      hardwareReader(setup.home),
      { read: () => this.#telemetry.read() },
    ];
    const sampler = new Sampler(readers, clock);
    this.#roll = new DeviceRoll(clock);
    this.#telemetry = new Telemetry(
      {
        name,
        identity: {
          version: VERSION.version,
          chainName: setup.genesis.chainName,
          ...(inventory.model !== undefined && { model: inventory.model }),
        },
        facts: nodeFacts({ setup, contexts, networking, inventory: () => this.#inventory }),
        events: contexts.events,
        store,
        sample: () => sampler.sample(),
        devices: () => this.#roll.devices(),
        clock,
        timers,
        log,
      },
      brokers,
    );
    const keys = fleetKeysOf(fleetKeys);
    const actions = commandActions(this.#telemetry, controls, log);
    const { events } = contexts;
    const doorParts = { name, chainId: setup.genesis.hash, keys, homeAssistantPrefix, suite, store, events, actions, clock, log };
    this.#door = keys.size === 0 ? undefined : new CommandDoor(doorParts);
  }

  /** What it costs and what waits. */
  get metrics(): MetricSource {
    return this.#telemetry;
  }

  /** Begins to tell. */
  start(): void {
    const { submissions } = this.#parts;
    this.#endRoll = submissions?.((device, isAccepted) => this.#roll.onSubmission(device, isAccepted)) ?? (() => {});
    this.#telemetry.start(this.#door);
    this.#cancelLook = systemPlatform.timers.after(LOOK_AFTER_MS, () => void this.#lookAtHardware());
  }

  async #lookAtHardware(): Promise<void> {
    this.#inventory = await readHardware(systemPlatform.timers);
    if (!this.#isStopped) this.#telemetry.tellInfo();
  }

  /** Says goodbye, keeping what did not arrive. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelLook();
    this.#endRoll();
    await this.#telemetry.stop();
    try {
      this.#database.close();
    } catch (error) {
      // Its write-ahead log keeps everything; the node's own files must be closed in any case.
      if (!isStorageError(error)) throw error;
      this.#parts.log.error("telemetry.storage", { file: error.path, code: error.code, error: error.message });
    }
  }
}

/**
 * Opens telemetry.db. A damaged one is set aside and begun anew: it holds nothing that the node promised, what was not told
 * yet is lost with it, and commands from before are refused from then on.
 */
function openStore(home: string, { events }: Contexts, log: Log): Database {
  const path = join(home, HOME.telemetry);
  const open = (): Database =>
    systemPlatform.openDatabase({
      path,
      applicationId: TELEMETRY_APPLICATION_ID,
      migrations: TELEMETRY_MIGRATIONS,
      pageBytes: TELEMETRY_PAGE_BYTES,
      durability: "full",
      create: true,
    });
  try {
    return open();
  } catch (error) {
    if (!isStorageError(error, "damaged")) throw error;
    const detail = `${error.message}; it is set aside and begun anew`;
    log.error("storage.damaged", { file: path, detail });
    events.appendCrit(event("storage.damaged", { file: path, place: "whole file", detail }));
    setAside(home);
    return open();
  }
}

/** Moves everything of telemetry.db into a folder beside it, in place of what was set aside before. */
function setAside(home: string): void {
  const folder = join(home, `${HOME.telemetry}.damaged`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { mode: 0o700 });
  const names = readdirSync(home).filter((name) => name.startsWith(HOME.telemetry) && join(home, name) !== folder);
  for (const name of names) renameSync(join(home, name), join(folder, name));
}

/** The brokers that are told: the own one everything, the outside one by its profile. */
function brokersOf(setup: NodeSetup, broker: LocalBroker | undefined, log: Log): readonly BrokerOptions[] {
  const { profile, sparkplugGroup, sparkplugHost, homeAssistantPrefix, url } = setup.configuration.telemetry;
  const views = { sparkplugGroup, sparkplugHost, homeAssistantPrefix };
  const own = broker && { ...views, connector: new LocalConnector(broker), profile: BANDWIDTH_PROFILES.unmetered };
  const outside = url === "" ? undefined : { ...views, connector: outsideConnector(setup, log), profile: BANDWIDTH_PROFILES[profile] };
  return [own, outside].filter((options) => options !== undefined);
}

function outsideConnector(setup: NodeSetup, log: Log): MqttConnector {
  const { telemetry } = setup.configuration;
  const { timers, entropy } = systemPlatform;
  const text = (key: "passwordFile" | "caFile" | "certificateFile" | "keyFile"): string | undefined =>
    telemetry[key] === "" ? undefined : readSettingFile(setup.home, `telemetry.${key}`, telemetry[key]);
  const [password, ca, certificate, key] = [text("passwordFile"), text("caFile"), text("certificateFile"), text("keyFile")];
  checkAddress(telemetry.url, {
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { cert: certificate }),
    ...(key !== undefined && { key }),
  });
  const address = {
    url: telemetry.url,
    version: telemetry.mqttVersion,
    keepAliveSeconds: BANDWIDTH_PROFILES[telemetry.profile].keepAliveSeconds,
    clientId: telemetry.clientId || `bizra-${setup.nodeId}`,
    ...(telemetry.username !== "" && { username: telemetry.username }),
    ...(password !== undefined && { password: password.trimEnd() }),
    ...(ca !== undefined && { ca }),
    ...(certificate !== undefined && { certificate }),
    ...(key !== undefined && { key }),
  };
  return new MqttConnector("outside", { address, timers, entropy, log });
}

/** Everything that would stop every connection before it is tried is said at the start. */
function checkAddress(url: string, tls: SecureContextOptions): void {
  if (!URL.canParse(url)) throw new StartRefused(`telemetry.url: expected an address of a broker, got ${url}; correct it in node.toml`);
  try {
    createSecureContext(tls);
  } catch (error) {
    if (!(error instanceof Error)) throw error; // PEM that is none, or a key that is not the certificate's
    throw new StartRefused(
      `telemetry: expected a certificate with its key, and authorities, in PEM, and got something else (${error.message}); correct caFile, certificateFile and keyFile in node.toml`,
    );
  }
}

function readSettingFile(home: string, setting: string, path: string): string {
  try {
    return readFileSync(resolve(home, path), "utf8");
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw new StartRefused(
      `${setting}: expected a file at ${resolve(home, path)}, which cannot be read (${String(error.code)}); correct it in node.toml`,
    );
  }
}
