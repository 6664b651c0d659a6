import { assert, type Clock } from "../../../src/kernel/index.ts";
import type { Journal } from "../journal.ts";
import type { Message } from "../message.ts";
import type { SessionRow, SubscriptionRow } from "../rows.ts";
import type { TopicFilter } from "../topics/topic-rules.ts";
import type { Principal, ProtocolVersion, QoS } from "../types.ts";
import { type Delivery, Outbox, type OutboxBounds } from "./outbox.ts";
import type { QueueBudget } from "./queue-budget.ts";

/** A subscription in force. */
export interface Subscription extends SubscriptionRow {
  readonly parsed: TopicFilter;
}

/** The connection that a session has now. */
export interface SessionLink {
  readonly principal: Principal;
  /** Something waits in the outbox. */
  onWaiting(): void;
  /** Another connection takes the session: this one is told 0x8E and ended, before this returns. @see MQTT-3.1.4-3 */
  takeOver(): void;
  /** Whether the transport takes more now. */
  readonly isWritable: boolean;
}

/** What a session needs of the broker. */
export interface SessionSurroundings {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly budget: QueueBudget;
  readonly bounds: OutboxBounds;
}

/**
 * What the broker knows of one client id across connections: subscriptions, what waits for it, what it has not released.
 * One with an expiry above 0 survives its connection and the process: each change of it goes to the journal.
 */
export class Session {
  readonly clientId: string;
  /** Name of the principal it belongs to; nobody else takes it over. */
  readonly owner: string;
  readonly subscriptions = new Map<string, Subscription>();
  readonly outbox: Outbox;
  version: ProtocolVersion;
  /** Undefined while nobody is connected. */
  link: SessionLink | undefined;
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #received = new Set<number>();
  #expirySeconds: number;
  #isStored: boolean;
  #hasEnded = false;

  constructor(row: SessionRow, surroundings: SessionSurroundings, isStored: boolean) {
    this.clientId = row.clientId;
    this.owner = row.owner;
    this.version = row.version;
    this.#expirySeconds = row.expirySeconds;
    this.#isStored = isStored;
    this.#clock = surroundings.clock;
    this.#journal = surroundings.journal;
    this.outbox = new Outbox(surroundings.bounds, surroundings.budget, {
      save: (delivery, isNew) => this.isPersistent && this.#saveDelivery(delivery, isNew),
      drop: (delivery) => this.isPersistent && this.#dropDelivery(delivery),
    });
  }

  /** Seconds that it outlives its connection. */
  get expirySeconds(): number {
    return this.#expirySeconds;
  }

  /** Whether it outlives its connection, and the process. */
  get isPersistent(): boolean {
    return this.#expirySeconds > 0;
  }

  /** Whether it is over: nothing may be put to it. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Queues a message; false when there was no room and it is dropped. Of QoS 0 only while connected. */
  deliver(message: Message, qos: QoS, isRetain: boolean, subscriptionIds: readonly number[]): boolean {
    assert(!this.#hasEnded, "a session that is over gets no messages");
    if (qos === 0 && this.link === undefined) return true;
    if (!this.outbox.offer(message, qos, isRetain, subscriptionIds, this.#clock.nowMs())) return false;
    this.link?.onWaiting();
    return true;
  }

  /** Puts a subscription in force, in place of one with the same filter. */
  subscribe(subscription: Subscription): void {
    const { filter } = subscription;
    const isNew = !this.subscriptions.has(filter);
    this.subscriptions.set(filter, subscription);
    if (this.isPersistent) this.#saveSubscription(subscription, isNew);
  }

  /** Ends a subscription; the one that was in force. */
  unsubscribe(filter: string): Subscription | undefined {
    const subscription = this.subscriptions.get(filter);
    if (subscription === undefined) return undefined;
    this.subscriptions.delete(filter);
    if (this.isPersistent) this.#dropSubscription(filter);
    return subscription;
  }

  /** Whether a publication of QoS 2 came under this packet identifier and was not released. */
  hasReceived(packetId: number): boolean {
    return this.#received.has(packetId);
  }

  /** Publications of QoS 2 that were not released, of this and earlier connections. */
  get receivedCount(): number {
    return this.#received.size;
  }

  /** Remembers a publication of QoS 2; a repetition is then known as one. @see MQTT-4.3.3-10 */
  receive(packetId: number): void {
    this.#received.add(packetId);
    if (this.isPersistent) this.#saveReceived(packetId);
  }

  /** Forgets a publication of QoS 2; false when there is none. */
  release(packetId: number): boolean {
    if (!this.#received.delete(packetId)) return false;
    if (this.isPersistent) this.#dropReceived(packetId);
    return true;
  }

  /** Takes in what was kept of it. */
  restore(subscriptions: readonly Subscription[], deliveries: readonly Delivery[], received: readonly number[]): void {
    assert(this.#isStored && this.subscriptions.size === 0, "a session comes back once");
    for (const subscription of subscriptions) this.subscriptions.set(subscription.filter, subscription);
    for (const delivery of deliveries) {
      this.#journal.referStored(delivery.message);
      this.outbox.restore(delivery);
    }
    for (const packetId of received) this.#received.add(packetId);
  }

  /** Sets how long it outlives its connection; what it holds becomes, or stops being, durable with it. */
  setExpiry(expirySeconds: number): void {
    const wasPersistent = this.isPersistent;
    if (wasPersistent && expirySeconds === 0) this.#forget();
    this.#expirySeconds = expirySeconds;
    if (!wasPersistent && expirySeconds > 0) {
      for (const subscription of this.subscriptions.values()) this.#saveSubscription(subscription, true);
      for (const delivery of this.outbox.lasting()) this.#saveDelivery(delivery, true);
      for (const packetId of this.#received) this.#saveReceived(packetId);
    }
  }

  /** Keeps whether it is connected, and since when it is not. */
  save(disconnectedAtMs: number | undefined): void {
    if (!this.isPersistent) return;
    const { clientId, owner, version, expirySeconds } = this;
    const row = { clientId, owner, version, expirySeconds, ...(disconnectedAtMs === undefined ? {} : { disconnectedAtMs }) };
    this.#journal.put(`session ${clientId}`, (store) => store.putSession(row), !this.#isStored);
    this.#isStored = true;
  }

  /** It is over: nothing of it is kept. */
  end(): void {
    assert(this.link === undefined && !this.#hasEnded, "a session ends once, without a connection");
    if (this.isPersistent) this.#forget();
    this.#expirySeconds = 0;
    this.outbox.clear();
    this.subscriptions.clear();
    this.#received.clear();
    this.#hasEnded = true;
  }

  #forget(): void {
    if (this.#isStored) this.#journal.remove(`session ${this.clientId}`, (store) => store.dropSession(this.clientId));
    this.#isStored = false;
    for (const filter of this.subscriptions.keys()) this.#dropSubscription(filter);
    for (const delivery of this.outbox.lasting()) this.#dropDelivery(delivery);
    for (const packetId of this.#received) this.#dropReceived(packetId);
  }

  #saveSubscription(row: SubscriptionRow, isNew: boolean): void {
    this.#journal.put(`subscription ${this.clientId}\0${row.filter}`, (store) => store.putSubscription(this.clientId, row), isNew);
  }

  #dropSubscription(filter: string): void {
    this.#journal.remove(`subscription ${this.clientId}\0${filter}`, (store) => store.dropSubscription(this.clientId, filter));
  }

  #saveReceived(packetId: number): void {
    this.#journal.put(`received ${this.clientId}\0${packetId}`, (store) => store.putReceived(this.clientId, packetId), true);
  }

  #dropReceived(packetId: number): void {
    this.#journal.remove(`received ${this.clientId}\0${packetId}`, (store) => store.dropReceived(this.clientId, packetId));
  }

  #saveDelivery(delivery: Delivery, isNew: boolean): void {
    if (isNew) this.#journal.refer(delivery.message);
    const { position, message, qos, isRetain, subscriptionIds, packetId, state } = delivery;
    const row = { position, messageId: message.id, qos, isRetain, subscriptionIds, packetId, state };
    this.#journal.put(`delivery ${this.clientId}\0${position}`, (store) => store.putDelivery(this.clientId, row), isNew);
  }

  #dropDelivery({ position, message }: Delivery): void {
    this.#journal.remove(`delivery ${this.clientId}\0${position}`, (store) => store.dropDelivery(this.clientId, position));
    this.#journal.release(message);
  }
}
