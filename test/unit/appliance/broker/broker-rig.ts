import { generate, type IConnackPacket, type IConnectPacket, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import {
  type Access,
  BROKER_DATABASE,
  type Broker,
  type BrokerLimits,
  type Connection,
  createBroker,
  type Intake,
  type ProtocolVersion,
  type Transport,
} from "../../../../appliance/broker/index.ts";
import { ok, silentLog } from "../../../../src/kernel/index.ts";
import { type Database, openMemoryDatabase } from "../../../../src/storage/index.ts";
import { ManualTime } from "../../gateway/manual-time.ts";

/** Lets everybody do everything; the principal is the user name, else the client id. */
export const OPEN_ACCESS: Access = {
  authenticate: async ({ clientId, username }) => ok({ name: username ?? clientId, role: "any" }),
  mayPublish: () => true,
  maySubscribe: () => true,
};

type RigOptions = {
  readonly access?: Partial<Access>;
  readonly intakes?: readonly Intake[];
  readonly limits?: Partial<BrokerLimits>;
  readonly database?: Database;
  readonly time?: ManualTime;
};

/** A broker in memory, with a clock that is moved by hand. */
export class BrokerRig {
  readonly time: ManualTime;
  readonly database: Database;
  readonly broker: Broker;
  readonly failures: unknown[] = [];
  #drawn = 0;

  constructor(options: RigOptions = {}) {
    this.time = options.time ?? new ManualTime();
    this.database = options.database ?? openMemoryDatabase(BROKER_DATABASE);
    this.broker = createBroker({
      clock: this.time,
      timers: this.time,
      entropy: { bytes: (count) => new Uint8Array(count).fill(++this.#drawn) },
      log: silentLog,
      database: this.database,
      access: { ...OPEN_ACCESS, ...options.access },
      intakes: options.intakes ?? [],
      limits: { sysIntervalMs: 0, ...options.limits },
      version: "1.2.3",
      onFailure: (error) => this.failures.push(error),
    });
  }

  /** A client whose transport the broker took. */
  open(version: ProtocolVersion = 5, address = "127.0.0.1"): TestClient {
    const client = new TestClient(version, address);
    const accepted = this.broker.accept(client);
    if (!accepted.ok) throw new Error(accepted.error);
    client.attach(accepted.value);
    return client;
  }

  /** A client that is connected; its CONNACK is taken off. */
  async connect(clientId: string, settings: Partial<IConnectPacket> = {}): Promise<TestClient> {
    const version = settings.protocolVersion === 4 ? 4 : 5;
    const client = this.open(version);
    client.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: version, clientId, clean: true, keepalive: 0, ...settings });
    await this.settle();
    const connack = client.take("connack");
    const code = version === 5 ? connack.reasonCode : connack.returnCode;
    if (code !== 0) throw new Error(`refused: ${code}`);
    client.connack = connack;
    return client;
  }

  /** Lets promises run and commits happen. */
  async settle(): Promise<void> {
    for (let round = 0; round < 4; round++) {
      for (let turn = 0; turn < 8; turn++) await Promise.resolve();
      this.time.advance(2);
    }
  }

  /** Lets time pass, then settles. */
  async pass(ms: number): Promise<void> {
    this.time.advance(ms);
    await this.settle();
  }

  /** The next broker on what this one has committed, as after kill -9. */
  next(options: RigOptions = {}): BrokerRig {
    return new BrokerRig({ ...options, database: this.database, time: this.time });
  }
}

/** What a test reads of any packet. */
export interface Received {
  readonly cmd: Packet["cmd"];
  readonly messageId?: number;
  readonly reasonCode?: number;
  readonly returnCode?: number;
  readonly sessionPresent?: boolean;
  readonly topic?: string;
  readonly payload?: string | Buffer;
  readonly qos?: number;
  readonly dup?: boolean;
  readonly retain?: boolean;
  readonly granted?: number[];
  readonly properties?: IPublishPacket["properties"] & IConnackPacket["properties"];
}

/** An MQTT client made of the library that the broker does not read with, on a transport in memory. */
export class TestClient implements Transport {
  readonly remote;
  readonly security = { isEncrypted: false };
  readonly packets: Received[] = [];
  connack: Received | undefined;
  isClosed = false;
  isDestroyed = false;
  isPaused = false;
  /** Whether `write` says that it takes no more. */
  isFull = false;
  readonly #version: ProtocolVersion;
  readonly #parser;
  #connection: Connection | undefined;
  #lastId = 0;

  constructor(version: ProtocolVersion, address: string) {
    this.remote = { address, port: 1 };
    this.#version = version;
    this.#parser = parser({ protocolVersion: version });
    this.#parser.on("packet", (packet) => this.packets.push(packet as Received));
  }

  attach(connection: Connection): void {
    this.#connection = connection;
  }

  write(bytes: Uint8Array): boolean {
    this.#parser.parse(Buffer.from(bytes));
    return !this.isFull;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#connection?.onClosed();
  }

  destroy(): void {
    this.isDestroyed = true;
    this.close();
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  /** Takes what was written, so that the broker writes on. */
  drain(): void {
    this.isFull = false;
    this.#connection?.onDrain();
  }

  /** The network is gone, without a word. */
  lose(): void {
    this.close();
  }

  send(packet: Packet): void {
    this.sendBytes(generate(packet, { protocolVersion: this.#version }));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#connection?.onBytes(bytes.slice());
  }

  publish(topic: string, payload: string, settings: Partial<IPublishPacket> = {}): number {
    const messageId = settings.messageId ?? ++this.#lastId;
    this.send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false, messageId, ...settings });
    return messageId;
  }

  subscribe(filter: string, qos: 0 | 1 | 2 = 0, options: { nl?: boolean; rap?: boolean; rh?: number; id?: number } = {}): void {
    const { id, ...rest } = options;
    const properties = id === undefined ? {} : { properties: { subscriptionIdentifier: id } };
    this.send({ cmd: "subscribe", messageId: ++this.#lastId, subscriptions: [{ topic: filter, qos, ...rest }], ...properties });
  }

  unsubscribe(...filters: string[]): void {
    this.send({ cmd: "unsubscribe", messageId: ++this.#lastId, unsubscriptions: filters });
  }

  /** Removes and gives the first packet, which must be of this kind. */
  take(cmd: Packet["cmd"]): Received {
    const packet = this.packets.shift();
    if (packet?.cmd !== cmd) throw new Error(`expected ${cmd}, got ${packet === undefined ? "nothing" : JSON.stringify(packet)}`);
    return packet;
  }

  /** Removes all PUBLISH packets and gives them as `topic=payload`. */
  takeMessages(): string[] {
    const publishes = this.packets.filter(({ cmd }) => cmd === "publish");
    for (const packet of publishes) this.packets.splice(this.packets.indexOf(packet), 1);
    return publishes.map(({ topic, payload }) => `${topic}=${String(payload)}`);
  }
}
