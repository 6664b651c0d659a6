import { Admin, Producer, stringSerializers } from "@platformatic/kafka";
import type { BusEvent, EventBus } from "../types.ts";
import { BUS_TOPICS, cloudEventOf, messageIdOf, nodeKeyOf, topicOf } from "./message.ts";

type KafkaProducer = Producer<string, string, string, string>;

/** Milliseconds: to connect, and for an answer. */
const TIMES = { connectMs: 5_000, answerMs: 15_000 } as const;
/** Every replica that is in step has a record before it counts as handed on. */
const ACKS_ALL = -1;

/**
 * Apache Kafka: each event in its topic, keyed by its node, so that a node's events are in one partition and in order. What
 * is published together goes out as one batch for each partition, and the next only after it is acknowledged.
 */
export class KafkaBus implements EventBus {
  readonly kind = "kafka";
  readonly #brokers: readonly string[];
  readonly #sasl: { readonly mechanism: "PLAIN" | "SCRAM-SHA-512"; readonly username: string; readonly password: string } | undefined;
  readonly #isSecure: boolean;
  #producer: KafkaProducer | undefined;

  /** @param url kafka://user:password@host:port, with `?brokers=host:port,host:port` for more, `&tls` and `&mechanism=PLAIN` */
  constructor(url: URL) {
    const more = url.searchParams.get("brokers")?.split(",") ?? [];
    this.#brokers = [url.port === "" ? `${url.hostname}:9092` : `${url.hostname}:${url.port}`, ...more];
    this.#isSecure = url.searchParams.has("tls");
    const mechanism = url.searchParams.get("mechanism") === "PLAIN" ? "PLAIN" : "SCRAM-SHA-512";
    const [username, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)];
    this.#sasl = username === "" ? undefined : { mechanism, username, password };
  }

  async publish(events: readonly BusEvent[]): Promise<void> {
    this.#producer ??= await this.#connect();
    const producer = this.#producer;
    const messages = events.map((event) => ({
      topic: topicOf(event.type),
      key: nodeKeyOf(event),
      value: cloudEventOf(event),
      headers: new Map([
        ["content-type", "application/cloudevents+json"],
        ["message-id", messageIdOf(event)],
      ]),
    }));
    try {
      await producer.send({ messages, acks: ACKS_ALL });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = undefined;
    await producer?.close(true);
  }

  async #connect(): Promise<KafkaProducer> {
    const sasl = this.#sasl;
    const options = {
      clientId: "bizra-aggregator",
      bootstrapBrokers: [...this.#brokers],
      connectTimeout: TIMES.connectMs,
      timeout: TIMES.answerMs,
      retries: 1,
      ...(this.#isSecure ? { tls: {} } : {}),
      ...(sasl ? { sasl } : {}),
    };
    await makeTopics(options);
    return new Producer({ ...options, serializers: stringSerializers });
  }
}

/** Makes the topics that are not there, with the partitions and copies that the cluster gives by default. */
async function makeTopics(options: ConstructorParameters<typeof Admin>[0]): Promise<void> {
  const admin = new Admin(options);
  try {
    const there = await admin.listTopics();
    const missing = BUS_TOPICS.filter((topic) => !there.includes(topic));
    if (missing.length > 0) await admin.createTopics({ topics: [...missing], partitions: -1, replicas: -1 });
  } finally {
    await admin.close();
  }
}
