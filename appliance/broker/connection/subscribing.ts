import type { SubscribePacket, SubscribeRequest, UnsubscribePacket } from "../codec/packets.ts";
import { lowerOf } from "../message.ts";
import { REASON } from "../reason-codes.ts";
import type { Subscription } from "../session/session.ts";
import { parseTopicFilter } from "../topics/topic-rules.ts";
import type { ClientContext } from "./client-context.ts";

/** What became of one filter: its SUBACK code, and whose retained messages follow. */
type Outcome = { readonly code: number; readonly subscription?: Subscription; readonly wantsRetained?: boolean };

/** What any failure is to a client of 3.1.1. */
const FAILURE_3_1_1 = 0x80;
/** Filters in one packet, in multiples of the subscriptions that a client may have. */
const FILTERS_FACTOR = 4;

/** Subscriptions of one client. Answers leave when a session that survives has them on disk; retained messages follow the answer. */
export class Subscribing {
  readonly #client: ClientContext;

  constructor(client: ClientContext) {
    this.#client = client;
  }

  /** Each filter on its own, in their order. @see MQTT-3.8.4-1 to -8 */
  onSubscribe({ packetId, requests, subscriptionId }: SubscribePacket): void {
    if (!this.#isBearable(requests.length)) return;
    const { shared, sink } = this.#client.parts;
    const outcomes = requests.map((request) => this.#subscribe(request, subscriptionId));
    const codes = outcomes.map(({ code }) => (code >= FAILURE_3_1_1 && sink.version === 4 ? FAILURE_3_1_1 : code));
    shared.journal.afterCommit(() => {
      if (!this.#client.isCurrent) return;
      sink.send({ kind: "suback", packetId, codes });
      for (const { subscription, wantsRetained } of outcomes)
        if (subscription !== undefined && wantsRetained === true) this.#sendRetained(subscription);
    });
  }

  onUnsubscribe({ packetId, filters }: UnsubscribePacket): void {
    if (!this.#isBearable(filters.length)) return;
    const { shared, sink } = this.#client.parts;
    const codes = filters.map((filter) => this.#unsubscribe(filter));
    shared.journal.afterCommit(() => {
      if (this.#client.isCurrent) sink.send({ kind: "unsuback", packetId, codes });
    });
  }

  /** A packet of a megabyte could name a quarter of a million filters. */
  #isBearable(count: number): boolean {
    const { line, shared } = this.#client.parts;
    if (count <= FILTERS_FACTOR * shared.limits.subscriptionsPerClientMax) return true;
    line.fail(REASON.quotaExceeded, "too many filters in one packet");
    return false;
  }

  #subscribe(request: SubscribeRequest, subscriptionId: number | undefined): Outcome {
    const { access, limits, router } = this.#client.parts.shared;
    const { session, parts } = this.#client;
    const { principal } = parts;
    const parsed = parseTopicFilter(request.filter, limits);
    if (!parsed.ok) return { code: REASON.topicFilterInvalid };
    if (!access.maySubscribe(principal, parsed.value.inner)) return { code: REASON.notAuthorized };
    const isNew = !session.subscriptions.has(request.filter);
    const isFull = session.subscriptions.size >= limits.subscriptionsPerClientMax || router.subscriptions.count >= limits.subscriptionsMax;
    if (isNew && isFull) return { code: REASON.quotaExceeded };
    const { filter, qos, isNoLocal, isRetainAsPublished, retainHandling } = request;
    const subscription: Subscription = {
      filter,
      qos,
      isNoLocal,
      isRetainAsPublished,
      parsed: parsed.value,
      ...(subscriptionId === undefined ? {} : { subscriptionId }),
    };
    session.subscribe(subscription);
    router.subscriptions.add(session, subscription, isNew);
    const wantsRetained = parsed.value.group === undefined && (retainHandling === 0 || (retainHandling === 1 && isNew));
    return { code: qos, subscription, wantsRetained };
  }

  /** @see MQTT-3.8.4-4, MQTT-3.3.1-9 to -11 */
  #sendRetained(subscription: Subscription): void {
    const { router, clock, counters } = this.#client.parts.shared;
    const { session } = this.#client;
    if (session.subscriptions.get(subscription.filter) !== subscription) return;
    const { qos: granted, subscriptionId, isNoLocal } = subscription;
    const subscriptionIds = subscriptionId === undefined ? [] : [subscriptionId];
    for (const message of router.retained.matching(subscription.parsed, clock.nowMs())) {
      if (isNoLocal && message.publisherId === session.clientId) continue;
      const qos = lowerOf(granted, message.qos);
      if (!session.deliver(message, qos, true, subscriptionIds)) counters.droppedQueueFull++;
    }
  }

  #unsubscribe(filter: string): number {
    const { session } = this.#client;
    const subscription = session.unsubscribe(filter);
    if (subscription === undefined) {
      return parseTopicFilter(filter, this.#client.parts.shared.limits).ok ? REASON.noSubscriptionExisted : REASON.topicFilterInvalid;
    }
    this.#client.parts.shared.router.subscriptions.remove(session, subscription.parsed);
    return REASON.success;
  }
}
