import { assert, err, ok, type Result } from "../../src/kernel/index.ts";
import type { MetricFamily } from "../../src/monitoring/index.ts";
import { Admission } from "./connection/admission.ts";
import { ClientConnection } from "./connection/client-connection.ts";
import type { Surroundings } from "./connection/surroundings.ts";
import { type Counters, newCounters } from "./counters.ts";
import { Journal } from "./journal.ts";
import { type BrokerLimits, DEFAULT_LIMITS } from "./limits.ts";
import type { Message } from "./message.ts";
import { metricFamilies } from "./metrics.ts";
import { REASON } from "./reason-codes.ts";
import { RetainedMessages } from "./routing/retained.ts";
import { Router } from "./routing/router.ts";
import { Subscriptions } from "./routing/subscriptions.ts";
import type { StoredState } from "./rows.ts";
import { QueueBudget } from "./session/queue-budget.ts";
import { Sessions } from "./session/sessions.ts";
import { BrokerStore } from "./store.ts";
import { SysTopics } from "./sys.ts";
import { isTopicName, parseTopicFilter } from "./topics/topic-rules.ts";
import type { AcceptRefusal, Broker, BrokerFigures, BrokerOptions, Connection, Publication, ReceivedMessage, Transport } from "./types.ts";
import { Wills } from "./wills.ts";

/** A broker with what its database holds from before. It serves at once; doors bring it connections. @throws StorageError */
export function createBroker(options: BrokerOptions): Broker {
  return new Engine(options);
}

/** Puts the parts together: constructs, restores, stops; decides nothing itself. */
class Engine implements Broker {
  readonly #limits: BrokerLimits;
  readonly #journal: Journal;
  readonly #counters: Counters = newCounters();
  readonly #budget: QueueBudget;
  readonly #admission: Admission;
  readonly #router: Router;
  readonly #wills: Wills;
  readonly #sessions: Sessions;
  readonly #sys: SysTopics;
  readonly #shared: Surroundings;
  readonly #connections = new Map<ClientConnection, string>();
  #isStopping = false;

  constructor(options: BrokerOptions) {
    const { clock, timers, entropy, log, access, database, onFailure, version } = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    const store = new BrokerStore(database);
    const state = store.load();
    let lastId = 0;
    for (const id of state.messages.keys()) lastId = Math.max(lastId, id); // too many to be arguments of one call
    const subscriptions = new Subscriptions();
    this.#limits = limits;
    this.#journal = new Journal({ store, timers, log, lingerMs: limits.commitLingerMs, onFailure });
    this.#budget = new QueueBudget(limits.queuedBytesTotalMax, () => this.#counters.droppedQueueFull++);
    this.#admission = new Admission(limits, clock);
    this.#router = new Router(subscriptions, new RetainedMessages(limits, this.#journal), clock, this.#counters, lastId);
    this.#wills = new Wills({
      clock,
      timers,
      journal: this.#journal,
      publish: (message, expirySeconds) => this.#publishWill(message, expirySeconds),
    });
    this.#sessions = new Sessions({
      clock,
      timers,
      subscriptions,
      wills: this.#wills,
      surroundings: { clock, journal: this.#journal, budget: this.#budget, bounds: limits },
      topicBounds: limits,
      sessionsMax: limits.sessionsMax,
      sessionsPerPrincipalMax: limits.sessionsPerPrincipalMax,
    });
    this.#shared = {
      clock,
      timers,
      entropy,
      log,
      limits,
      access,
      intakes: options.intakes ?? [],
      counters: this.#counters,
      journal: this.#journal,
      router: this.#router,
      sessions: this.#sessions,
      wills: this.#wills,
      partial: { bytes: 0 },
    };
    this.#restore(state);
    this.#sys = new SysTopics({
      clock,
      timers,
      router: this.#router,
      counters: this.#counters,
      figures: () => this.figures(),
      version,
      intervalMs: limits.sysIntervalMs,
    });
  }

  accept(transport: Transport): Result<Connection, AcceptRefusal> {
    if (this.#isStopping) return err("stopping");
    const { address } = transport.remote;
    const entered = this.#admission.enter(address);
    if (!entered.ok) return entered;
    const connection = new ClientConnection(transport, this.#shared, (gone) => this.#forget(gone));
    this.#connections.set(connection, address);
    return ok(connection);
  }

  publish({ topic, payload, qos, isRetain = false, isVolatile = false, properties = {}, expirySeconds }: Publication): Promise<void> {
    assert(isTopicName(topic, this.#limits), "the node publishes to topic names");
    const content = { topic, payload, qos, isRetain, properties };
    const message = this.#router.compose(expirySeconds === undefined ? content : { ...content, expirySeconds }, undefined);
    const mayRetain = this.#router.mayRetain(message);
    if (!mayRetain) {
      this.#counters.publishesRefused++;
      this.#shared.log.warn("broker.retained.full", { topic });
    }
    const { isDurable } = this.#router.route(mayRetain ? message : { ...message, isRetain: false }, undefined, isVolatile);
    return isDurable ? this.#journal.committed() : Promise.resolve();
  }

  onPublish(filter: string, handler: (message: ReceivedMessage) => void): () => void {
    const parsed = parseTopicFilter(filter, this.#limits);
    assert(parsed.ok && parsed.value.group === undefined, "the node subscribes to filters, and shares none");
    return this.#router.subscriptions.addLocal(parsed.value, handler);
  }

  disconnect(names: ReadonlySet<string>): number {
    const found = [...this.#connections.keys()].filter(({ principal }) => principal !== undefined && names.has(principal.name));
    for (const connection of found) connection.leave(REASON.administrativeAction);
    return found.length;
  }

  figures(): BrokerFigures {
    return {
      connectionCount: this.#connections.size,
      sessionCount: this.#sessions.count,
      subscriptionCount: this.#router.subscriptions.count,
      retainedCount: this.#router.retained.count,
      queuedCount: this.#budget.usedCount,
      queuedBytes: this.#budget.usedBytes,
      partialBytes: this.#shared.partial.bytes,
    };
  }

  collect(): readonly MetricFamily[] {
    return metricFamilies(this.figures(), this.#counters, this.#journal);
  }

  stop(): Promise<void> {
    this.#isStopping = true;
    this.#sys.stop();
    for (const connection of [...this.#connections.keys()]) connection.shutDown();
    this.#sessions.stop();
    this.#wills.stop();
    this.#journal.close();
    return Promise.resolve();
  }

  /** In an order in which nothing is published before whoever hears it is there. */
  #restore(state: StoredState): void {
    for (const stored of state.sessions) this.#sessions.restore(stored, state.messages);
    for (const { messageId } of state.retained) {
      const message = state.messages.get(messageId);
      if (message !== undefined) this.#router.retained.restore(message);
    }
    for (const row of state.wills) {
      const message = state.messages.get(row.messageId);
      if (message !== undefined) this.#wills.restore(row, message);
    }
  }

  /** The life of a will's message begins when it is published. @see MQTT 5 section 3.1.3.2.4 */
  #publishWill(will: Message, expirySeconds: number | undefined): void {
    const { topic, payload, properties, qos, isRetain, publisherId } = will;
    const content = { topic, payload, properties, qos, isRetain };
    const message = this.#router.compose(expirySeconds === undefined ? content : { ...content, expirySeconds }, publisherId);
    if (this.#router.mayRetain(message)) this.#router.route(message, undefined);
    else this.#counters.publishesRefused++;
  }

  #forget(connection: ClientConnection): void {
    const address = this.#connections.get(connection);
    assert(address !== undefined, "a connection is forgotten once");
    this.#connections.delete(connection);
    this.#admission.leave(address);
  }
}
