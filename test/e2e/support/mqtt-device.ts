/** A device that speaks MQTT by mqtt.js and signs by the client that shares no code with the project. */
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient, type Packet } from "mqtt";
import { addressOf, anchorBody, type Keys, type Order, type Signed, signOrder } from "./independent-client.ts";
import type { NodeProcess } from "./node-process.ts";

/** A receipt as a device reads it. */
export type DeviceReceipt = {
  readonly id?: string;
  readonly status: string;
  readonly code?: string;
  readonly height?: number;
  readonly index?: number;
  readonly proof?: string;
  readonly position?: number;
  /** Of the message that carried it. */
  readonly topic: string;
  readonly correlation: string | undefined;
  readonly contentType: string | undefined;
};

/** What the broker acknowledged a publication with. */
export type Acknowledgement = { readonly reason: number; readonly text: string | undefined; readonly retryAfter: string | undefined };

/** Where the node's doors are. */
export async function doorsOf(node: NodeProcess): Promise<{ tcp: string; tls: string; webSocket: string }> {
  return (await node.get("/api/v2/status"))["mqtt"] as { tcp: string; tls: string; webSocket: string };
}

/** One connected device. */
export class MqttDevice {
  readonly name: string;
  readonly network: string;
  readonly client: MqttClient;
  readonly receipts: DeviceReceipt[] = [];
  readonly acknowledgements: Acknowledgement[] = [];

  private constructor(name: string, network: string, client: MqttClient) {
    this.name = name;
    this.network = network;
    this.client = client;
    client.on("packetreceive", (packet) => this.#onPacket(packet));
    client.on("message", (topic, payload, packet) => this.#onMessage(topic, payload, packet));
  }

  /** Connects without trying again; subscribes to nothing. */
  static async connect(url: string, network: string, name: string, options: IClientOptions = {}): Promise<MqttDevice> {
    const settings: IClientOptions = {
      protocolVersion: 5,
      clientId: name,
      reconnectPeriod: 0,
      connectTimeout: 60_000,
      ...options,
      manualConnect: true,
    };
    const client = mqtt.connect(url, settings);
    const device = new MqttDevice(name, network, client);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    client.once("connect", () => resolve());
    client.once("error", reject);
    client.once("close", () => reject(new Error("closed before it was connected")));
    client.connect();
    try {
      await promise;
    } catch (error) {
      client.end(true);
      throw error;
    }
    client.on("error", () => {}); // what comes later shows in what is missing
    return device;
  }

  /** The usual topic of its receipts. */
  get receiptTopic(): string {
    return `bizra/v1/${this.network}/tx/${this.name}/receipt`;
  }

  /** Subscribes to its receipts. */
  async listen(topic = this.receiptTopic): Promise<void> {
    const [granted] = await this.client.subscribeAsync(topic, { qos: 1 });
    if ((granted?.qos ?? 128) > 2) throw new Error(`not allowed to read ${topic}`);
  }

  /** Publishes to its submit topic; resolves with the acknowledgement, also one that refuses, or undefined when cut off. */
  async submit(payload: Buffer, options: Parameters<MqttClient["publishAsync"]>[2] = {}): Promise<Acknowledgement | undefined> {
    const before = this.acknowledgements.length;
    const { promise: closed, resolve: onClose } = Promise.withResolvers<undefined>();
    const cut = (): void => onClose(undefined);
    this.client.once("close", cut);
    const told = (): Acknowledgement | undefined => this.acknowledgements[before];
    const published = this.client
      .publishAsync(`bizra/v1/${this.network}/tx/${this.name}/submit`, payload, { qos: 1, ...options })
      .then(told, told);
    return await Promise.race([published, closed]).finally(() => this.client.off("close", cut));
  }

  /** The first receipt for which it holds; throws with those that came when it does not in time. */
  async receipt(holds: (receipt: DeviceReceipt) => boolean, limitMs = 90_000): Promise<DeviceReceipt> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.receipts.find(holds);
      if (found) return found;
      if (performance.now() > deadline) throw new Error(`no such receipt among ${JSON.stringify(this.receipts).slice(0, 2_000)}`);
      await Bun.sleep(10);
    }
  }

  /** Goes away in good order. */
  async end(): Promise<void> {
    await this.client.endAsync();
  }

  /** Ends at once. */
  kill(): void {
    this.client.end(true);
  }

  #onPacket(packet: Packet): void {
    if (packet.cmd !== "puback" && packet.cmd !== "pubrec") return;
    const { reasonCode = 0, properties } = packet;
    const retryAfter = properties?.userProperties?.["retry-after"];
    this.acknowledgements.push({
      reason: reasonCode,
      text: properties?.reasonString,
      retryAfter: retryAfter === undefined ? undefined : String(retryAfter),
    });
  }

  #onMessage(topic: string, payload: Buffer, { properties }: IPublishPacket): void {
    const contentType = properties?.contentType;
    const said =
      contentType === "application/cbor" ? { status: "cbor", proof: payload.toString("base64") } : JSON.parse(payload.toString("utf8"));
    this.receipts.push({ ...said, topic, correlation: properties?.correlationData?.toString(), contentType });
  }
}

/** Signs anchors for one account, nonces counted here. */
export class Signer {
  readonly #keys: Keys;
  readonly #genesisHash: Buffer;
  #nonce: bigint;
  #count = 0;

  private constructor(keys: Keys, genesisHash: Buffer, nonce: bigint) {
    this.#keys = keys;
    this.#genesisHash = genesisHash;
    this.#nonce = nonce;
  }

  /** Asks the node where the account's nonces stand. */
  static async of(keys: Keys, genesisHash: Buffer, node: NodeProcess): Promise<Signer> {
    const account = await node.get(`/api/v2/accounts/${addressOf(keys.publicKey)}`);
    return new Signer(keys, genesisHash, BigInt(String(account["pendingNonce"])));
  }

  /** A signed anchor; a change that names a nonce does not use one up. */
  sign(change: Partial<Order> = {}): Signed {
    const nonce = change.nonce ?? this.#nonce++;
    const body = anchorBody("mqtt/test", Buffer.from(`reading ${this.#count++}`));
    return signOrder(this.#keys, this.#genesisHash, { type: 2, nonce, fee: 1_000n, validUntil: 400_000n, body, ...change });
  }
}
