import { assert } from "../../../src/kernel/index.ts";
import type { Session, Subscription } from "../session/session.ts";
import { SubscriptionTree } from "../topics/subscription-tree.ts";
import type { TopicFilter } from "../topics/topic-rules.ts";
import type { QoS, ReceivedMessage } from "../types.ts";
import { type GroupMember, SharedGroup } from "./shared-group.ts";

/** What one session gets of one message: overlapping subscriptions of it give one copy. @see MQTT-3.3.4-2, MQTT 3.1.1 MQTT-3.3.5-1 */
export interface Share {
  readonly session: Session;
  /** Highest of the subscriptions that match. */
  qos: QoS;
  isRetainAsPublished: boolean;
  /** Of each that has one. */
  readonly subscriptionIds: number[];
}

/** A subscription by the node itself. */
export type LocalHandler = (message: ReceivedMessage) => void;

/** Who hears what: the subscriptions of all sessions, shared ones, and the node's own. */
export class Subscriptions {
  readonly #direct = new SubscriptionTree<GroupMember>();
  readonly #shared = new SubscriptionTree<SharedGroup>();
  readonly #local = new SubscriptionTree<LocalHandler>();
  #count = 0;
  #localKey = 0;

  /** Subscriptions of sessions. */
  get count(): number {
    return this.#count;
  }

  /** Adds a session's subscription, in place of the one with the same filter if `isNew` is false. */
  add(session: Session, subscription: Subscription, isNew: boolean): void {
    if (isNew) this.#count++;
    const { levels, group } = subscription.parsed;
    const member = { session, subscription };
    if (group === undefined) {
      this.#direct.set(levels, session.clientId, member);
      return;
    }
    const found = this.#shared.find(levels, group);
    const shared = found ?? new SharedGroup();
    if (found === undefined) this.#shared.set(levels, group, shared);
    shared.set(member);
  }

  /** Takes away a session's subscription. */
  remove(session: Session, { levels, group }: TopicFilter): void {
    this.#count--;
    assert(this.#count >= 0, "no more subscriptions end than began");
    if (group === undefined) {
      this.#direct.remove(levels, session.clientId);
      return;
    }
    const shared = this.#shared.find(levels, group);
    shared?.remove(session.clientId);
    if (shared?.size === 0) this.#shared.remove(levels, group);
  }

  /** Adds a subscription of the node itself; the result ends it. */
  addLocal(filter: TopicFilter, handler: LocalHandler): () => void {
    const key = String(this.#localKey++);
    this.#local.set(filter.levels, key, handler);
    return () => void this.#local.remove(filter.levels, key);
  }

  /** What each session gets of a message on the topic by this publisher: once for all its own subscriptions, once for each group. */
  sharesOf(topic: readonly string[], publisherId: string | undefined): readonly Share[] {
    const direct = new Map<Session, Share>();
    this.#direct.match(topic, ({ session, subscription }) => {
      if (subscription.isNoLocal && session.clientId === publisherId) return;
      const share = direct.get(session);
      if (share === undefined) direct.set(session, shareOf({ session, subscription }));
      else merge(share, subscription);
    });
    const shares = [...direct.values()];
    this.#shared.match(topic, (group) => {
      const member = group.pick();
      if (member !== undefined) shares.push(shareOf(member));
    });
    return shares;
  }

  /** The node's own handlers for the topic. */
  handlersOf(topic: readonly string[]): readonly LocalHandler[] {
    const handlers: LocalHandler[] = [];
    this.#local.match(topic, (handler) => handlers.push(handler));
    return handlers;
  }
}

function shareOf({ session, subscription }: GroupMember): Share {
  const { qos, isRetainAsPublished, subscriptionId } = subscription;
  return { session, qos, isRetainAsPublished, subscriptionIds: subscriptionId === undefined ? [] : [subscriptionId] };
}

function merge(share: Share, { qos, isRetainAsPublished, subscriptionId }: Subscription): void {
  if (qos > share.qos) share.qos = qos;
  share.isRetainAsPublished ||= isRetainAsPublished;
  if (subscriptionId !== undefined) share.subscriptionIds.push(subscriptionId);
}
