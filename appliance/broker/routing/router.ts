import type { Clock } from "../../../src/kernel/index.ts";
import type { Counters } from "../counters.ts";
import { lowerOf, type Message } from "../message.ts";
import type { MessageProperties, Principal, QoS } from "../types.ts";
import type { RetainedMessages } from "./retained.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** What a publication is made of. */
export interface MessageContent {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  readonly qos: QoS;
  readonly isRetain: boolean;
  readonly expirySeconds?: number;
}

/** Who publishes; absent for the node itself. */
export interface Publisher {
  readonly principal: Principal;
  readonly clientId: string;
}

/** What became of a message. */
export interface Routed {
  /** Whether anybody heard it. */
  readonly isMatched: boolean;
  /** Whether something of it must be committed before it is acknowledged. */
  readonly isDurable: boolean;
}

/** Takes messages to those who hear them, and retained ones to their place. */
export class Router {
  readonly subscriptions: Subscriptions;
  readonly retained: RetainedMessages;
  readonly #clock: Clock;
  readonly #counters: Counters;
  #lastId: number;

  constructor(subscriptions: Subscriptions, retained: RetainedMessages, clock: Clock, counters: Counters, lastId: number) {
    this.subscriptions = subscriptions;
    this.retained = retained;
    this.#clock = clock;
    this.#counters = counters;
    this.#lastId = lastId;
  }

  /** A message of its own, with a copy of the payload; its time to live begins now. */
  compose(content: MessageContent, publisherId: string | undefined): Message {
    const { topic, properties, qos, isRetain, expirySeconds } = content;
    return {
      id: ++this.#lastId,
      topic,
      payload: content.payload.slice(),
      properties,
      qos,
      isRetain,
      ...(publisherId === undefined ? {} : { publisherId }),
      ...(expirySeconds === undefined ? {} : { expiresAtMs: this.#clock.nowMs() + 1000 * expirySeconds }),
    };
  }

  /** Whether a message that is to be retained finds room. */
  mayRetain(message: Message): boolean {
    return !message.isRetain || this.retained.hasRoomFor(message, this.#clock.nowMs());
  }

  /**
   * Delivers to all who are subscribed, and keeps a retained message for those to come. Room for it was asked for.
   *
   * @param isVolatile whether a retained message is kept in memory only
   */
  route(message: Message, publisher: Publisher | undefined, isVolatile = false): Routed {
    const levels = message.topic.split("/");
    let isDurable = message.isRetain && !isVolatile;
    if (message.isRetain && isVolatile) this.retained.show(message);
    else if (message.isRetain) this.retained.keep(message);
    const shares = this.subscriptions.sharesOf(levels, message.publisherId);
    for (const { session, qos: granted, isRetainAsPublished, subscriptionIds } of shares) {
      const qos = lowerOf(granted, message.qos);
      if (!session.deliver(message, qos, isRetainAsPublished && message.isRetain, subscriptionIds)) this.#counters.droppedQueueFull++;
      if (qos > 0 && session.isPersistent) isDurable = true;
    }
    const handlers = this.subscriptions.handlersOf(levels);
    const { topic, payload, properties, qos, isRetain } = message;
    for (const handle of handlers) handle({ topic, payload, properties, qos, isRetain, ...(publisher === undefined ? {} : { publisher }) });
    return { isMatched: shares.length + handlers.length > 0, isDurable };
  }
}
