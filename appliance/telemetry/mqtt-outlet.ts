import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { assert, type CancelTimer, type Entropy, type Log, type Timers, toHex } from "../../src/kernel/index.ts";
import { Traffic } from "./byte-count.ts";
import type { Connector, Delivery, Outlet, OutletMessage, ReceivedMessage, SessionOptions } from "./outlet.ts";

/** Where a broker is and how this node shows itself there. */
export type BrokerAddress = {
  /** mqtt://, mqtts://, ws:// or wss://. */
  readonly url: string;
  readonly version: "5" | "3.1.1";
  /** Start of the client ids; the session's name follows. */
  readonly clientId: string;
  /** Seconds of silence after which the connection is tried; default 30. */
  readonly keepAliveSeconds?: number;
  readonly username?: string;
  readonly password?: string;
  /** PEM: what the broker's certificate must chain to (else the runtime's roots), and the client's own. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
};

/** What sessions with an outside broker take. */
export type MqttParts = { readonly address: BrokerAddress; readonly timers: Timers; readonly entropy: Entropy; readonly log: Log };

/** Milliseconds before the next try: doubled from the first to the last, then shortened by up to half by chance. */
const BACK_OFF_MS = { first: 500, max: 60_000 } as const;
/** Publications of QoS 1 that a broker which says nothing may hold; what mosquitto and others take at least. */
const UNDER_WAY_MAX = 16;
/** From the first packet until the subscriptions stand. */
const CONNECT_LIMIT_MS = 15_000;
/** A broker that acknowledges nothing for so long, though it may answer pings, is left. */
const SILENCE_LIMIT_MS = 60_000;
/** A connection that held so long was a good one: the next pause is the first again. */
const LASTING_MS = 60_000;
/** Publications that wait for room, while a broker is slow; more count as lost at once. */
const WAITING_MAX = 4_096;

/** A broker outside this process, over TCP, TLS or WebSocket. */
export class MqttConnector implements Connector {
  readonly name: string;
  /** What was published in every session. */
  readonly traffic = new Traffic();
  readonly #parts: MqttParts;

  constructor(name: string, parts: MqttParts) {
    this.name = name;
    this.#parts = parts;
  }

  session(options: SessionOptions): Outlet {
    return new MqttOutlet(this.#parts, options, this.traffic);
  }
}

type Subscription = { readonly filter: string; readonly qos: 0 | 1; readonly handler: (message: ReceivedMessage) => void };
type Waiting = { readonly message: OutletMessage; readonly resolve: (delivery: Delivery) => void };

/**
 * A session on mqtt.js. Each connection is a client of its own with a new session: mqtt.js keeps only what is under way, and
 * forgets it with the connection. What must not be lost waits elsewhere.
 */
class MqttOutlet implements Outlet {
  readonly #parts: MqttParts;
  readonly #options: SessionOptions;
  readonly #traffic: Traffic;
  readonly #subscriptions: Subscription[] = [];
  readonly #listeners: ((isConnected: boolean) => void)[] = [];
  readonly #underWay = new Set<(delivery: Delivery) => void>();
  #waiting: Waiting[] = [];
  #underWayMax = UNDER_WAY_MAX;
  #client: MqttClient | undefined;
  #isConnected = false;
  #isClosed = false;
  #backOffMs: number = BACK_OFF_MS.first;
  #cancelRetry: CancelTimer = () => {};
  #cancelConnectLimit: CancelTimer = () => {};
  #cancelSilenceLimit: CancelTimer | undefined;
  #cancelLasting: CancelTimer = () => {};
  #lastTrouble = "";

  constructor(parts: MqttParts, options: SessionOptions, traffic: Traffic) {
    this.#parts = parts;
    this.#options = options;
    this.#traffic = traffic;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  subscribe(filter: string, qos: 0 | 1, handler: (message: ReceivedMessage) => void): void {
    assert(this.#client === undefined, "a session subscribes before it is opened");
    this.#subscriptions.push({ filter, qos, handler });
  }

  onConnectionChange(listener: (isConnected: boolean) => void): void {
    this.#listeners.push(listener);
  }

  open(): void {
    assert(this.#client === undefined && !this.#isClosed, "a session is opened once");
    this.#connect();
  }

  publish(message: OutletMessage): Promise<Delivery> {
    if (!this.#isConnected) return Promise.resolve("lost");
    return new Promise((resolve) => {
      if (message.qos === 1 && this.#underWay.size >= this.#underWayMax) {
        if (this.#waiting.length >= WAITING_MAX) resolve("lost");
        else this.#waiting.push({ message, resolve });
      } else this.#send({ message, resolve });
    });
  }

  /** A broker takes packets in order: its answer to a subscription says that it has what was written before. */
  settle(): Promise<boolean> {
    const client = this.#client;
    const [first] = this.#subscriptions;
    if (!this.#isConnected || client === undefined) return Promise.resolve(false);
    assert(first !== undefined, "a session that is settled has a subscription");
    return new Promise((resolve) => {
      const lost = (): void => resolve(false);
      this.#underWay.add(lost);
      this.#limitSilence(client);
      client.subscribe({ [first.filter]: { qos: first.qos, rh: 2 } }, (error) => {
        if (!this.#underWay.delete(lost)) return;
        this.#onAnswer(client);
        resolve(!error && this.#client === client);
      });
    });
  }

  async cycle(): Promise<void> {
    await this.#end();
    this.#retry();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    await this.#end();
  }

  #connect(): void {
    const { address } = this.#parts;
    const is5 = address.version === "5";
    const will = this.#options.will?.();
    const options: IClientOptions = {
      clientId: `${address.clientId}-${this.#options.name}`,
      protocolVersion: is5 ? 5 : 4,
      clean: true,
      keepalive: address.keepAliveSeconds ?? 30,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_LIMIT_MS,
      queueQoSZero: false,
      resubscribe: false,
      ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: will.qos, retain: will.isRetained } }),
      ...(address.username !== undefined && { username: address.username }),
      ...(address.password !== undefined && { password: address.password }),
      ...(address.ca !== undefined && { ca: address.ca }),
      ...(address.certificate !== undefined && { cert: address.certificate }),
      ...(address.key !== undefined && { key: address.key }),
    };
    const client = connect(address.url, options);
    this.#client = client;
    const { stream } = client;
    // Small packets that wait for one another's TCP acknowledgements would make a backlog twenty times as slow.
    if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
    client.on("connect", ({ properties }) => {
      this.#underWayMax = Math.min(UNDER_WAY_MAX, properties?.receiveMaximum ?? UNDER_WAY_MAX);
      this.#subscribeAll(client);
    });
    client.on("message", (topic, payload, { retain, properties }) =>
      this.#onMessage(topic, payload, { ...properties, isRetained: retain }),
    );
    const { timers } = this.#parts;
    this.#cancelConnectLimit = timers.after(CONNECT_LIMIT_MS, () => this.#onTrouble(client, "no connection in time"));
    client.on("error", (error) => this.#onTrouble(client, error.message));
    client.on("close", () => this.#onTrouble(client, "the connection ended"));
  }

  #subscribeAll(client: MqttClient): void {
    if (this.#subscriptions.length === 0) {
      this.#onReady(client);
      return;
    }
    const filters = Object.fromEntries(this.#subscriptions.map(({ filter, qos }) => [filter, { qos }]));
    client.subscribe(filters, (error) => {
      if (error) this.#onTrouble(client, error.message);
      else this.#onReady(client);
    });
  }

  #onReady(client: MqttClient): void {
    if (this.#client !== client || this.#isClosed) return;
    this.#isConnected = true;
    this.#cancelConnectLimit();
    this.#cancelLasting = this.#parts.timers.after(LASTING_MS, () => {
      this.#backOffMs = BACK_OFF_MS.first;
      this.#lastTrouble = "";
    });
    this.#parts.log.info("telemetry.connected", { broker: this.#parts.address.url, session: this.#options.name });
    for (const listener of this.#listeners) listener(true);
  }

  #onMessage(
    topic: string,
    payload: Uint8Array,
    { isRetained, responseTopic, correlationData }: { isRetained: boolean; responseTopic?: string; correlationData?: Buffer },
  ): void {
    const message: ReceivedMessage = {
      topic,
      payload: Uint8Array.from(payload),
      isRetained,
      ...(responseTopic !== undefined && { responseTopic }),
      ...(correlationData !== undefined && { correlationData: Uint8Array.from(correlationData) }),
    };
    for (const { filter, handler } of this.#subscriptions) if (matches(filter, topic)) handler(message);
  }

  #onTrouble(client: MqttClient, reason: string): void {
    if (this.#client !== client || this.#isClosed) return;
    if (reason !== this.#lastTrouble) {
      this.#parts.log.warn("telemetry.disconnected", { broker: this.#parts.address.url, session: this.#options.name, reason });
    }
    this.#lastTrouble = reason;
    this.#client = undefined;
    this.#onLost(); // before the client's end, which calls back for what it had under way
    client.on("error", () => {}); // of a client that is done with
    client.end(true);
    this.#retry();
  }

  /** The connection is left when nothing that is under way is answered for too long. */
  #limitSilence(client: MqttClient): void {
    this.#cancelSilenceLimit ??= this.#parts.timers.after(SILENCE_LIMIT_MS, () =>
      this.#onTrouble(client, "the broker acknowledges nothing"),
    );
  }

  #onAnswer(client: MqttClient): void {
    this.#cancelSilenceLimit?.();
    this.#cancelSilenceLimit = undefined;
    if (this.#underWay.size > 0) this.#limitSilence(client);
  }

  #onLost(): void {
    this.#cancelConnectLimit();
    this.#cancelSilenceLimit?.();
    this.#cancelSilenceLimit = undefined;
    this.#cancelLasting();
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    const unanswered = [...this.#underWay, ...this.#waiting.map(({ resolve }) => resolve)];
    this.#underWay.clear();
    this.#waiting = [];
    for (const resolve of unanswered) resolve("lost");
    if (wasConnected) for (const listener of this.#listeners) listener(false);
  }

  #retry(): void {
    if (this.#isClosed) return;
    const chance = Number.parseInt(toHex(this.#parts.entropy.bytes(2)), 16) / 0xffff;
    const delayMs = Math.round(this.#backOffMs * (1 - chance / 2));
    this.#backOffMs = Math.min(2 * this.#backOffMs, BACK_OFF_MS.max);
    this.#cancelRetry = this.#parts.timers.after(delayMs, () => this.#connect());
  }

  /** Ends the connection in good order; within a second, for a broker may be gone without a word. */
  async #end(): Promise<void> {
    this.#cancelRetry();
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) {
      client.on("error", () => {});
      const is5 = this.#parts.address.version === "5";
      const reason = this.#options.endsWithWill && is5 && this.#isConnected ? { reasonCode: 4 } : {};
      this.#onLost();
      const ended = new Promise<void>((resolve) => client.end(false, reason, () => resolve()));
      const late = Promise.withResolvers<void>();
      const cancel = this.#parts.timers.after(1_000, late.resolve);
      await Promise.race([ended, late.promise]);
      cancel();
      client.end(true);
    }
  }

  #send({ message, resolve }: Waiting): void {
    const client = this.#client;
    assert(client !== undefined && this.#isConnected, "only a connected session sends");
    const is5 = this.#parts.address.version === "5";
    const properties = {
      ...(message.contentType !== undefined && { contentType: message.contentType }),
      ...(message.responseTopic !== undefined && { responseTopic: message.responseTopic }),
      ...(message.correlationData !== undefined && { correlationData: Buffer.from(message.correlationData) }),
    };
    const settle = (delivery: Delivery): void => {
      if (!this.#underWay.delete(resolve)) return;
      this.#onAnswer(client);
      resolve(delivery);
      const next = this.#isConnected ? this.#waiting.shift() : undefined;
      if (next) this.#send(next);
    };
    this.#traffic.add(message);
    this.#underWay.add(resolve);
    this.#limitSilence(client);
    client.publish(
      message.topic,
      Buffer.from(message.payload),
      { qos: message.qos, retain: message.isRetained, ...(is5 && { properties }) },
      (error) =>
        settle(
          error === undefined || error === null ? "acknowledged" : "code" in error && typeof error.code === "number" ? "refused" : "lost",
        ),
    );
  }
}

/** Whether a topic is one that a filter means; a shared or `$` filter is not used here. */
export function matches(filter: string, topic: string): boolean {
  const words = topic.split("/");
  const parts = filter.split("/");
  for (const [i, part] of parts.entries()) {
    if (part === "#") return true;
    if (i >= words.length || (part !== "+" && part !== words[i])) return false;
  }
  return parts.length === words.length;
}
