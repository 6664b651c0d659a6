import { type JetStreamClient, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { BusEvent, EventBus } from "../types.ts";
import { BUS_TOPICS, cloudEventOf, messageIdOf, nodeKeyOf, topicOf } from "./message.ts";

const STREAM = "BIZRA_EVENTS";
/** Milliseconds: to connect, and for the answer to a message. */
const TIMES = { connectMs: 5_000, answerMs: 5_000 } as const;

/**
 * NATS JetStream: each event on the subject `{topic}.{network}.{node}` of a stream kept in files, made when it is not there.
 * The records of one subject go out one by one, so that none overtakes one that was refused; subjects go side by side.
 * Each message carries its record's name as Nats-Msg-Id, by which the server drops repetitions within its window.
 */
export class NatsBus implements EventBus {
  readonly kind = "nats";
  readonly #url: URL;
  #session: { readonly connection: NatsConnection; readonly stream: JetStreamClient } | undefined;

  /** @param url nats://user:password@host:port or tls://... */
  constructor(url: URL) {
    this.#url = url;
  }

  async publish(events: readonly BusEvent[]): Promise<void> {
    this.#session ??= await this.#connect();
    const { stream } = this.#session;
    const bySubject = Map.groupBy(events, (event) => `${topicOf(event.type)}.${nodeKeyOf(event)}`);
    try {
      await Promise.all([...bySubject].map(([subject, line]) => publishLine(stream, subject, line)));
    } catch (error) {
      await this.close(); // the next attempt begins with a new connection, and a stream that may have to be made again
      throw error;
    }
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.connection.close();
  }

  async #connect(): Promise<{ readonly connection: NatsConnection; readonly stream: JetStreamClient }> {
    const { protocol, host, username, password } = this.#url;
    const login = username === "" ? {} : { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
    const servers = `${protocol === "tls:" ? "tls" : "nats"}://${host}`;
    const connection = await connect({ servers, ...login, name: "bizra-aggregator", timeout: TIMES.connectMs, reconnect: false });
    try {
      const streams = await jetstreamManager(connection, { timeout: TIMES.answerMs });
      const subjects = BUS_TOPICS.map((topic) => `${topic}.>`);
      const names = await streams.streams.names(`${BUS_TOPICS[0]}.>`).next();
      if (!names.includes(STREAM)) await streams.streams.add({ name: STREAM, subjects, storage: StorageType.File });
      return { connection, stream: jetstream(connection, { timeout: TIMES.answerMs }) };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }
}

async function publishLine(stream: JetStreamClient, subject: string, line: readonly BusEvent[]): Promise<void> {
  for (const event of line) await stream.publish(subject, cloudEventOf(event), { msgID: messageIdOf(event) });
}
