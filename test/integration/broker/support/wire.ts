/** A client that says packets to the letter, over TCP, TLS or WebSocket; the codec is the library that the broker does not use. */
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { generate, type IConnackPacket, type IPublishPacket, type Packet, parser } from "mqtt-packet";
import {
  type Arrived,
  type Device,
  type DeviceSettings,
  type PublishSettings,
  type SubscribeSettings,
  type Version,
  within,
} from "./device.ts";

const LIMIT_MS = 60_000;

/** Files of a TLS client, as PEM texts. */
export type ClientTls = { readonly ca: string; readonly cert?: string; readonly key?: string };

/** A packet of some kind, with the fields that tests read of any. */
export type Heard = Packet & {
  readonly messageId?: number;
  readonly reasonCode?: number;
  readonly granted?: readonly number[];
};

/** A connection that does nothing by itself but, where asked, acknowledge. */
export class Wire implements Device {
  /** Whether what arrives is acknowledged as a good client would. */
  acknowledges = true;
  /** Packet identifiers of QoS 2 received and not released: what a client that resumes its session brings along. */
  held = new Set<number>();
  connack: IConnackPacket = { cmd: "connack", sessionPresent: false };
  readonly arrived: Arrived[] = [];
  readonly heard: Heard[] = [];
  readonly #version: Version;
  readonly #write: (bytes: Buffer) => void;
  readonly #cut: () => void;
  readonly #closed = Promise.withResolvers<void>();
  #wake = Promise.withResolvers<void>();
  #isClosed = false;
  #packetId = 0;
  #disconnectReason: number | undefined;

  private constructor(version: Version, write: (bytes: Buffer) => void, cut: () => void) {
    this.#version = version;
    this.#write = write;
    this.#cut = cut;
  }

  /** Opens a connection and says nothing. */
  static async open(url: string, version: Version, tls?: ClientTls): Promise<Wire> {
    const { protocol, hostname, port } = new URL(url);
    const packets = parser({ protocolVersion: version });
    if (protocol === "ws:" || protocol === "wss:") {
      const socket = new WebSocket(url, { protocols: ["mqtt"], ...(tls ? { tls: { ca: tls.ca } } : {}) } as never);
      socket.binaryType = "arraybuffer";
      const wire = new Wire(
        version,
        (bytes) => socket.send(new Uint8Array(bytes)),
        () => socket.close(),
      );
      packets.on("packet", (packet) => wire.#onPacket(packet as Heard));
      socket.onmessage = ({ data }): void => void packets.parse(Buffer.from(data as ArrayBuffer));
      socket.onclose = (): void => wire.#onClosed();
      await within(
        "a WebSocket",
        LIMIT_MS,
        new Promise<void>((resolve, reject) => {
          socket.onopen = (): void => resolve();
          socket.onerror = (): void => reject(new Error("the WebSocket failed"));
        }),
      );
      return wire;
    }
    const address = { host: hostname, port: Number(port) };
    const socket: Socket =
      protocol === "mqtts:" ? connectTls({ ...address, ...tls, servername: "" }) : connectTcp({ ...address, noDelay: true });
    const wire = new Wire(
      version,
      (bytes) => void socket.write(bytes),
      () => socket.destroy(),
    );
    packets.on("packet", (packet) => wire.#onPacket(packet as Heard));
    socket.on("data", (chunk: Buffer) => void packets.parse(chunk));
    socket.on("error", () => {}); // a reset is one of the answers looked for; `close` follows
    socket.on("close", () => wire.#onClosed());
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once(protocol === "mqtts:" ? "secureConnect" : "connect", () => resolve());
    socket.once("error", reject);
    await within("a connection", LIMIT_MS, promise);
    return wire;
  }

  /** Opens a connection and is let in; throws with the code when it is not. */
  static async connect(url: string, settings: DeviceSettings, tls?: ClientTls): Promise<Wire> {
    const wire = await Wire.open(url, settings.version, tls);
    const code = await wire.greet(settings);
    if (code !== 0) throw new Error(`refused: ${code}`);
    return wire;
  }

  /** Says CONNECT and gives the code of CONNACK. */
  async greet({ version, clientId, password, ...settings }: DeviceSettings): Promise<number> {
    this.send({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: version,
      clientId,
      clean: true,
      keepalive: 0,
      ...(password === undefined ? {} : { password: Buffer.from(password) }),
      ...settings,
    });
    this.connack = (await this.hear("connack")) as IConnackPacket;
    return (version === 5 ? this.connack.reasonCode : this.connack.returnCode) ?? -1;
  }

  send(packet: Packet): void {
    this.sendBytes(generate(packet, { protocolVersion: this.#version }));
  }

  sendBytes(bytes: Uint8Array): void {
    if (!this.#isClosed) this.#write(Buffer.from(bytes));
  }

  /** A packet identifier. */
  newId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1;
    return this.#packetId;
  }

  /** The first packet of this kind that was not heard yet, PUBLISH aside; throws when it does not come. */
  async hear(cmd: Packet["cmd"], limitMs = LIMIT_MS): Promise<Heard> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const at = this.heard.findIndex((packet) => packet.cmd === cmd);
      const [found] = at < 0 ? [] : this.heard.splice(at, 1);
      if (found) return found;
      if (this.#isClosed) throw new Error(`closed while ${cmd} was waited for; heard ${JSON.stringify(this.heard)}`);
      await within(`${cmd}`, deadline - performance.now(), this.#wake.promise);
    }
  }

  async subscribe(filter: string, settings: SubscribeSettings = {}): Promise<number> {
    const { qos = 0, id, ...rest } = settings;
    const properties = id === undefined ? {} : { properties: { subscriptionIdentifier: id } };
    this.send({ cmd: "subscribe", messageId: this.newId(), subscriptions: [{ topic: filter, qos, ...rest }], ...properties });
    return (await this.hear("suback")).granted?.[0] ?? -1;
  }

  async unsubscribe(filter: string): Promise<void> {
    this.send({ cmd: "unsubscribe", messageId: this.newId(), unsubscriptions: [filter] });
    await this.hear("unsuback");
  }

  /** Says PUBLISH and waits for nothing. */
  say(topic: string, payload: string, settings: PublishSettings & { messageId?: number; dup?: boolean } = {}): number {
    const messageId = settings.messageId ?? this.newId();
    this.send({ cmd: "publish", topic, payload, qos: 0, dup: false, retain: false, ...settings, messageId });
    return messageId;
  }

  async publish(topic: string, payload: string, settings: PublishSettings = {}): Promise<number> {
    const messageId = this.say(topic, payload, settings);
    if (settings.qos === 1) return (await this.hear("puback")).reasonCode ?? 0;
    if (settings.qos === 2) {
      const { reasonCode = 0 } = await this.hear("pubrec");
      if (reasonCode < 0x80) {
        this.send({ cmd: "pubrel", messageId, reasonCode: 0 });
        await this.hear("pubcomp");
      }
      return reasonCode;
    }
    await this.ping();
    return 0;
  }

  /** Everything said before was read by the broker, and everything that it had said has arrived. */
  async ping(): Promise<void> {
    this.send({ cmd: "pingreq" });
    await this.hear("pingresp");
  }

  async take(least = 0): Promise<Arrived[]> {
    const first: Arrived[] = [];
    while (first.length < least) first.push(await this.next());
    await this.ping();
    await this.ping(); // what was acknowledged in between may have let more through
    return [...first, ...this.arrived.splice(0)];
  }

  async next(limitMs = LIMIT_MS): Promise<Arrived> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.arrived.shift();
      if (found) return found;
      await within("a message", deadline - performance.now(), this.#wake.promise);
    }
  }

  async end(reasonCode = 0): Promise<void> {
    this.send({ cmd: "disconnect", reasonCode });
    await this.ended();
  }

  async cut(): Promise<void> {
    this.#cut();
    await this.ended();
  }

  async ended(limitMs = LIMIT_MS): Promise<number | undefined> {
    await within("the end of a connection", limitMs, this.#closed.promise);
    return this.#disconnectReason;
  }

  #onPacket(packet: Heard): void {
    if (packet.cmd === "publish") this.#onPublish(packet);
    else if (packet.cmd === "pubrel" && this.acknowledges) {
      this.held.delete(packet.messageId ?? 0);
      this.send({ cmd: "pubcomp", messageId: packet.messageId ?? 0, reasonCode: 0 });
    } else {
      if (packet.cmd === "disconnect") this.#disconnectReason = packet.reasonCode ?? 0;
      this.heard.push(packet);
    }
    this.#stir();
  }

  #onPublish({ topic, payload, qos, retain, dup, messageId, properties }: IPublishPacket): void {
    const arrived = { topic, payload: String(payload), qos, retain, dup, properties: properties ?? {} };
    const isKnown = qos === 2 && this.held.has(messageId ?? 0);
    if (!isKnown) this.arrived.push(arrived);
    if (qos === 2) this.held.add(messageId ?? 0);
    if (!this.acknowledges || qos === 0) this.heard.push({ cmd: "publish", topic, payload, qos, retain, dup, messageId: messageId ?? 0 });
    else this.send({ cmd: qos === 1 ? "puback" : "pubrec", messageId: messageId ?? 0, reasonCode: 0 });
  }

  #onClosed(): void {
    this.#isClosed = true;
    this.#closed.resolve();
    this.#stir();
  }

  #stir(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers<void>();
    resolve();
  }
}
