/** mqtt.js as a device of the conformance cases. */
import mqtt, { type IClientOptions, type MqttClient } from "mqtt";
import type { IConnackPacket } from "mqtt-packet";
import { type Arrived, type Device, type DeviceSettings, type PublishSettings, type SubscribeSettings, within } from "./device.ts";
import type { ClientTls } from "./wire.ts";

const LIMIT_MS = 60_000;

/** One connection of mqtt.js that is never tried again. */
export class JsDevice implements Device {
  readonly connack: IConnackPacket;
  readonly #client: MqttClient;
  readonly #arrived: Arrived[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #wake = Promise.withResolvers<void>();
  #lastReason = 0;
  #disconnectReason: number | undefined;

  private constructor(client: MqttClient, connack: IConnackPacket) {
    this.#client = client;
    this.connack = connack;
  }

  /** Connects; throws when it is refused. */
  static async connect(url: string, { version, ...settings }: DeviceSettings, tls?: ClientTls): Promise<JsDevice> {
    const options: IClientOptions = {
      protocolVersion: version,
      clean: true,
      keepalive: 0,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: LIMIT_MS,
      ...(settings as IClientOptions),
      ...tls,
      manualConnect: true,
    };
    const client = mqtt.connect(url, options);
    const arrived: Arrived[] = [];
    const { promise, resolve, reject } = Promise.withResolvers<IConnackPacket>();
    client.once("connect", resolve);
    client.once("error", reject);
    client.once("close", () => reject(new Error("closed before it was connected")));
    let device: JsDevice | undefined;
    client.on("message", (topic, payload, packet) => {
      const { qos, retain, dup, properties } = packet;
      const message = { topic, payload: payload.toString(), qos, retain, dup, properties: { ...properties } };
      if (device) device.#onMessage(message);
      else arrived.push(message); // it may follow CONNACK in the same chunk
    });
    client.connect();
    try {
      const connack = await promise;
      device = new JsDevice(client, connack);
      for (const message of arrived) device.#onMessage(message);
      device.#watch();
      return device;
    } catch (error) {
      client.end(true);
      throw error;
    }
  }

  async subscribe(filter: string, { qos = 0, id, ...rest }: SubscribeSettings = {}): Promise<number> {
    const properties = id === undefined ? {} : { properties: { subscriptionIdentifier: id } };
    try {
      const granted = await this.#client.subscribeAsync(filter, { qos, ...rest, ...properties });
      return granted[0]?.qos ?? -1;
    } catch (error) {
      return codeOf(error);
    }
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.#client.unsubscribeAsync(filter);
  }

  async publish(topic: string, payload: string, settings: PublishSettings = {}): Promise<number> {
    try {
      this.#lastReason = 0;
      await this.#client.publishAsync(topic, payload, { qos: 0, retain: false, ...settings });
    } catch (error) {
      return codeOf(error);
    }
    if ((settings.qos ?? 0) === 0) await this.#ping();
    return this.#lastReason;
  }

  async take(least = 0): Promise<Arrived[]> {
    const first: Arrived[] = [];
    while (first.length < least) first.push(await this.next());
    await this.#ping();
    await this.#ping();
    return [...first, ...this.#arrived.splice(0)];
  }

  async next(limitMs = LIMIT_MS): Promise<Arrived> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.#arrived.shift();
      if (found) return found;
      await within("a message", deadline - performance.now(), this.#wake.promise);
    }
  }

  async end(reasonCode = 0): Promise<void> {
    await this.#client.endAsync(false, reasonCode === 0 ? {} : { reasonCode });
  }

  async cut(): Promise<void> {
    this.#client.stream.destroy();
    await this.ended();
    this.#client.end(true);
  }

  async ended(limitMs = LIMIT_MS): Promise<number | undefined> {
    await within("the end of a connection", limitMs, this.#closed.promise);
    return this.#disconnectReason;
  }

  async #ping(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listen = ({ cmd }: { cmd: string }): void => {
      if (cmd === "pingresp") resolve();
    };
    this.#client.on("packetreceive", listen);
    this.#client.sendPing();
    await within("pingresp", LIMIT_MS, promise).finally(() => this.#client.off("packetreceive", listen));
  }

  #watch(): void {
    this.#client.on("error", () => {}); // what is refused later shows in its own answer
    this.#client.on("close", () => this.#closed.resolve());
    this.#client.on("disconnect", ({ reasonCode }) => {
      this.#disconnectReason = reasonCode ?? 0;
    });
    this.#client.on("packetreceive", (packet) => {
      if (packet.cmd === "puback" || packet.cmd === "pubrec") this.#lastReason = packet.reasonCode ?? 0;
    });
  }

  #onMessage(message: Arrived): void {
    this.#arrived.push(message);
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    resolve();
  }
}

function codeOf(error: unknown): number {
  if (error instanceof Error && "code" in error && typeof error.code === "number") return error.code;
  if (error instanceof Error && /Unspecified error|Subscribe error/i.test(error.message)) return 0x80;
  throw error;
}
