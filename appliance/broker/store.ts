import { assert } from "../../src/kernel/index.ts";
import type { Database, DatabaseOptions, Migration } from "../../src/storage/index.ts";
import type { Message } from "./message.ts";
import { decodeMessage, encodeUserProperties, type MessageRow } from "./message-row.ts";
import type { DeliveryRow, DeliveryState, SessionRow, StoredSession, StoredState, SubscriptionRow, WillRow } from "./rows.ts";
import type { QoS } from "./types.ts";

const TABLES: Migration = (database) => {
  const clientTable = (name: string, columns: string) => database.run(`CREATE TABLE ${name} (${columns}) STRICT, WITHOUT ROWID`);
  clientTable(
    "session",
    "client_id TEXT PRIMARY KEY, owner TEXT NOT NULL, version INTEGER NOT NULL, expiry_seconds INTEGER NOT NULL, disconnected_at INTEGER",
  );
  clientTable(
    "subscription",
    "client_id TEXT, filter TEXT, qos INTEGER NOT NULL, no_local INTEGER NOT NULL, as_published INTEGER NOT NULL, subscription_id INTEGER, PRIMARY KEY (client_id, filter)",
  );
  clientTable(
    "delivery",
    "client_id TEXT, position INTEGER, message_id INTEGER NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, subscription_ids TEXT NOT NULL, packet_id INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (client_id, position)",
  );
  clientTable("received", "client_id TEXT, packet_id INTEGER, PRIMARY KEY (client_id, packet_id)");
  clientTable("retained", "topic TEXT PRIMARY KEY, message_id INTEGER NOT NULL");
  clientTable(
    "will",
    "client_id TEXT PRIMARY KEY, message_id INTEGER NOT NULL, delay_seconds INTEGER NOT NULL, expiry_seconds INTEGER, due_at INTEGER",
  );
  database.run(
    "CREATE TABLE message (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, payload BLOB NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL, publisher TEXT, expires_at INTEGER, payload_utf8 INTEGER, content_type TEXT, response_topic TEXT, correlation BLOB, user_properties TEXT) STRICT",
  );
};

/** How broker.db is opened: `openDatabase({ ...BROKER_DATABASE, path, create: true })`. The mark is "BZmq". */
export const BROKER_DATABASE: Pick<DatabaseOptions, "applicationId" | "migrations" | "durability"> = {
  applicationId: 0x42_5a_6d_71,
  migrations: [TABLES],
  durability: "full",
};

/** Frames of the write-ahead log at which it is moved into the main file. */
const MOVED_FRAMES = 2_000;

type SessionRecord = { client_id: string; owner: string; version: bigint; expiry_seconds: bigint; disconnected_at: bigint | null };
type SubscriptionRecord = {
  client_id: string;
  filter: string;
  qos: bigint;
  no_local: bigint;
  as_published: bigint;
  subscription_id: bigint | null;
};
type DeliveryRecord = {
  client_id: string;
  position: bigint;
  message_id: bigint;
  qos: bigint;
  retain: bigint;
  subscription_ids: string;
  packet_id: bigint;
  state: string;
};
type WillRecord = { client_id: string; message_id: bigint; delay_seconds: bigint; expiry_seconds: bigint | null; due_at: bigint | null };

/** The tables of broker.db. Changes are made inside `commit` only; messages nobody refers to are removed by `load`. */
export class BrokerStore {
  readonly #database: Database;
  readonly #put;
  readonly #drop;

  constructor(database: Database) {
    this.#database = database;
    const put = (table: string, count: number) =>
      database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (${Array.from({ length: count }, () => "?").join(", ")})`);
    this.#put = {
      session: put("session", 5),
      subscription: put("subscription", 6),
      delivery: put("delivery", 8),
      received: put("received", 2),
      retained: put("retained", 2),
      will: put("will", 5),
      message: put("message", 12),
    };
    this.#drop = {
      session: database.prepare("DELETE FROM session WHERE client_id = ?"),
      subscription: database.prepare("DELETE FROM subscription WHERE client_id = ? AND filter = ?"),
      delivery: database.prepare("DELETE FROM delivery WHERE client_id = ? AND position = ?"),
      received: database.prepare("DELETE FROM received WHERE client_id = ? AND packet_id = ?"),
      retained: database.prepare("DELETE FROM retained WHERE topic = ?"),
      will: database.prepare("DELETE FROM will WHERE client_id = ?"),
      message: database.prepare("DELETE FROM message WHERE id = ?"),
    };
  }

  /** Runs the changes as one durable step; moves the log when it has grown. @throws StorageError */
  commit(changes: Iterable<(store: BrokerStore) => void>): void {
    this.#database.atomically(() => {
      for (const change of changes) change(this);
    });
    if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
  }

  putSession(row: SessionRow): void {
    this.#put.session.run(row.clientId, row.owner, row.version, row.expirySeconds, row.disconnectedAtMs ?? null);
  }

  dropSession(clientId: string): void {
    this.#drop.session.run(clientId);
  }

  putSubscription(clientId: string, row: SubscriptionRow): void {
    const { filter, qos, isNoLocal, isRetainAsPublished, subscriptionId } = row;
    this.#put.subscription.run(clientId, filter, qos, Number(isNoLocal), Number(isRetainAsPublished), subscriptionId ?? null);
  }

  dropSubscription(clientId: string, filter: string): void {
    this.#drop.subscription.run(clientId, filter);
  }

  putDelivery(clientId: string, row: DeliveryRow): void {
    const { position, messageId, qos, isRetain, subscriptionIds, packetId, state } = row;
    this.#put.delivery.run(clientId, position, messageId, qos, Number(isRetain), subscriptionIds.join(","), packetId, state);
  }

  dropDelivery(clientId: string, position: number): void {
    this.#drop.delivery.run(clientId, position);
  }

  putReceived(clientId: string, packetId: number): void {
    this.#put.received.run(clientId, packetId);
  }

  dropReceived(clientId: string, packetId: number): void {
    this.#drop.received.run(clientId, packetId);
  }

  putRetained(topic: string, messageId: number): void {
    this.#put.retained.run(topic, messageId);
  }

  dropRetained(topic: string): void {
    this.#drop.retained.run(topic);
  }

  putWill(row: WillRow): void {
    this.#put.will.run(row.clientId, row.messageId, row.delaySeconds, row.expirySeconds ?? null, row.dueAtMs ?? null);
  }

  dropWill(clientId: string): void {
    this.#drop.will.run(clientId);
  }

  putMessage(message: Message): void {
    const { id, topic, payload, qos, isRetain, publisherId, expiresAtMs, properties } = message;
    const { isPayloadUtf8, contentType, responseTopic, correlationData, userProperties } = properties;
    this.#put.message.run(
      id,
      topic,
      payload,
      qos,
      Number(isRetain),
      publisherId ?? null,
      expiresAtMs ?? null,
      isPayloadUtf8 === undefined ? null : Number(isPayloadUtf8),
      contentType ?? null,
      responseTopic ?? null,
      correlationData ?? null,
      encodeUserProperties(userProperties),
    );
  }

  dropMessage(id: number): void {
    this.#drop.message.run(id);
  }

  /** Everything that is there, once, at the start. */
  load(): StoredState {
    this.#database.atomically(() =>
      this.#database.run(
        "DELETE FROM message WHERE id NOT IN (SELECT message_id FROM delivery UNION SELECT message_id FROM retained UNION SELECT message_id FROM will)",
      ),
    );
    const messages = new Map(this.#all<MessageRow>("message", "id").map((row) => [Number(row.id), decodeMessage(row)]));
    const subscriptions = grouped(this.#all<SubscriptionRecord>("subscription", "client_id"), subscriptionOf);
    const deliveries = grouped(this.#all<DeliveryRecord>("delivery", "client_id, position"), deliveryOf);
    const received = grouped(this.#all<{ client_id: string; packet_id: bigint }>("received", "client_id"), (row) => Number(row.packet_id));
    const sessions: StoredSession[] = this.#all<SessionRecord>("session", "client_id").map((row) => ({
      session: sessionOf(row),
      subscriptions: subscriptions.get(row.client_id) ?? [],
      deliveries: deliveries.get(row.client_id) ?? [],
      received: received.get(row.client_id) ?? [],
    }));
    const retained = this.#all<{ topic: string; message_id: bigint }>("retained", "topic").map((row) => ({
      topic: row.topic,
      messageId: Number(row.message_id),
    }));
    return { messages, sessions, retained, wills: this.#all<WillRecord>("will", "client_id").map(willOf) };
  }

  #all<Row>(table: string, order: string): Row[] {
    const statement = this.#database.prepare<Row, []>(`SELECT * FROM ${table} ORDER BY ${order}`);
    return this.#database.attempt(() => statement.all());
  }
}

function grouped<Row extends { client_id: string }, Value>(rows: readonly Row[], convert: (row: Row) => Value): Map<string, Value[]> {
  const groups = new Map<string, Value[]>();
  for (const row of rows) {
    const group = groups.get(row.client_id) ?? [];
    group.push(convert(row));
    groups.set(row.client_id, group);
  }
  return groups;
}

function sessionOf(row: SessionRecord): SessionRow {
  return {
    clientId: row.client_id,
    owner: row.owner,
    version: row.version === 5n ? 5 : 4,
    expirySeconds: Number(row.expiry_seconds),
    ...(row.disconnected_at === null ? {} : { disconnectedAtMs: Number(row.disconnected_at) }),
  };
}

function subscriptionOf(row: SubscriptionRecord): SubscriptionRow {
  return {
    filter: row.filter,
    qos: qosOf(row.qos),
    isNoLocal: row.no_local === 1n,
    isRetainAsPublished: row.as_published === 1n,
    ...(row.subscription_id === null ? {} : { subscriptionId: Number(row.subscription_id) }),
  };
}

function deliveryOf(row: DeliveryRecord): DeliveryRow {
  return {
    position: Number(row.position),
    messageId: Number(row.message_id),
    qos: qosOf(row.qos),
    isRetain: row.retain === 1n,
    subscriptionIds: row.subscription_ids === "" ? [] : row.subscription_ids.split(",").map(Number),
    packetId: Number(row.packet_id),
    state: stateOf(row.state),
  };
}

function willOf(row: WillRecord): WillRow {
  return {
    clientId: row.client_id,
    messageId: Number(row.message_id),
    delaySeconds: Number(row.delay_seconds),
    ...(row.expiry_seconds === null ? {} : { expirySeconds: Number(row.expiry_seconds) }),
    ...(row.due_at === null ? {} : { dueAtMs: Number(row.due_at) }),
  };
}

function qosOf(value: bigint): QoS {
  return value === 2n ? 2 : value === 1n ? 1 : 0;
}

function stateOf(text: string): DeliveryState {
  assert(text === "queued" || text === "sent" || text === "released", "a stored delivery is in a state that exists");
  return text;
}
