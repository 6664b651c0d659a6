/** What a consumer at the broker sees: mqtt.js with MQTT 5 on every topic, until a condition holds. */
import { connectAsync, type IClientOptions, type IClientPublishOptions, type MqttClient } from "mqtt";

/** A message as it came. */
export type Seen = {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly isRetained: boolean;
  readonly qos: number;
  readonly contentType?: string;
  readonly correlationData?: string;
};

/** A client that keeps everything it sees. */
export class Observer {
  readonly seen: Seen[] = [];
  readonly #client: MqttClient;
  readonly #waiting = new Set<() => void>();

  private constructor(client: MqttClient) {
    this.#client = client;
    client.on("message", (topic, payload, { retain, qos, properties }) => {
      this.seen.push({
        topic,
        payload: Uint8Array.from(payload),
        isRetained: retain,
        qos,
        ...(properties?.contentType !== undefined && { contentType: properties.contentType }),
        ...(properties?.correlationData !== undefined && { correlationData: properties.correlationData.toString() }),
      });
      for (const check of this.#waiting) check();
    });
  }

  /** Connects and hears everything, or what some filters mean. */
  static async connect(url: string, options: IClientOptions = {}, filters: readonly string[] = ["#"]): Promise<Observer> {
    const client = await connectAsync(url, { protocolVersion: 5, reconnectPeriod: 0, ...options });
    const observer = new Observer(client);
    client.on("error", () => {}); // of a broker that a test ends
    await client.subscribeAsync([...filters], { qos: 1 });
    return observer;
  }

  /** Publishes with QoS 1. */
  async publish(topic: string, payload: Uint8Array | string, options: IClientPublishOptions = {}): Promise<void> {
    await this.#client.publishAsync(topic, typeof payload === "string" ? payload : Buffer.from(payload), { qos: 1, ...options });
  }

  /** Messages on topics that match. */
  on(topic: RegExp): Seen[] {
    return this.seen.filter((message) => topic.test(message.topic));
  }

  /** Resolves when the condition holds; throws with the topics seen when that does not come. */
  async until(holds: () => boolean, what: string, limitMs = 90_000): Promise<void> {
    if (holds()) return;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const check = (): void => {
      if (holds()) resolve(true);
    };
    this.#waiting.add(check);
    const poll = setInterval(check, 20); // a condition may also be about the node
    const late = setTimeout(() => resolve(false), limitMs);
    const came = await promise;
    clearTimeout(late);
    clearInterval(poll);
    this.#waiting.delete(check);
    if (!came)
      throw new Error(
        `expected ${what}; seen: ${this.seen
          .map(({ topic }) => topic)
          .slice(-50)
          .join(" ")}`,
      );
  }

  /** Ends the connection. */
  async end(): Promise<void> {
    await this.#client.endAsync(true);
  }
}

/** The JSON of a message. */
export function jsonSeen(message: Seen | undefined): Readonly<Record<string, unknown>> {
  return JSON.parse(new TextDecoder().decode(message?.payload)) as Readonly<Record<string, unknown>>;
}
