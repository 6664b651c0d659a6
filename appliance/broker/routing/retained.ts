import type { Journal } from "../journal.ts";
import { isExpired, type Message, weightOf } from "../message.ts";
import type { TopicFilter } from "../topics/topic-rules.ts";
import { TopicTree } from "../topics/topic-tree.ts";

/** Bounds on what is retained. */
export interface RetainedBounds {
  readonly retainedCountMax: number;
  readonly retainedBytesMax: number;
}

/**
 * The last retained message of each topic, within a count and bytes; durable, of every QoS. A new topic beyond the bound is
 * refused, what is there stays.
 */
export class RetainedMessages {
  readonly #bounds: RetainedBounds;
  readonly #journal: Journal;
  readonly #byTopic = new Map<string, Message>();
  /** Not durable; no topic stands here and above. */
  readonly #shown = new Map<string, Message>();
  /** All of both. */
  readonly #tree = new TopicTree<Message>();
  #bytes = 0;

  constructor(bounds: RetainedBounds, journal: Journal) {
    this.#bounds = bounds;
    this.#journal = journal;
  }

  /** Topics with a retained message. */
  get count(): number {
    return this.#byTopic.size;
  }

  /** Takes in what was kept. */
  restore(message: Message): void {
    this.#journal.referStored(message);
    this.#place(this.#byTopic, message);
    this.#bytes += weightOf(message);
  }

  /** Whether `keep` would find room. */
  hasRoomFor(message: Message, nowMs: number): boolean {
    if (message.payload.length === 0 || this.#fits(message)) return true;
    this.#dropExpired(nowMs);
    return this.#fits(message);
  }

  /** Keeps the message for its topic in place of the one before; an empty one only takes that away. @see MQTT-3.3.1-5, -6, -7 */
  keep(message: Message): void {
    const { topic, id } = message;
    this.#hide(topic);
    const before = this.#byTopic.get(topic);
    if (message.payload.length === 0) {
      if (before !== undefined) this.#drop(before);
      return;
    }
    this.#journal.refer(message);
    this.#place(this.#byTopic, message);
    this.#bytes += weightOf(message);
    this.#journal.put(`retained ${topic}`, (store) => store.putRetained(topic, id), before === undefined);
    if (before === undefined) return;
    this.#bytes -= weightOf(before);
    this.#journal.release(before);
  }

  /** As `keep`, for what the broker (`$SYS`) and its node say of themselves: a limited set of topics, outside the bounds and never durable. */
  show(message: Message): void {
    const before = this.#byTopic.get(message.topic);
    if (before !== undefined) this.#drop(before);
    if (message.payload.length === 0) this.#hide(message.topic);
    else this.#place(this.#shown, message);
  }

  /** What a new subscription with this filter gets. */
  matching(filter: TopicFilter, nowMs: number): readonly Message[] {
    const found: Message[] = [];
    this.#tree.match(filter.levels, (message) => {
      if (!isExpired(message, nowMs)) found.push(message);
    });
    return found;
  }

  #place(map: Map<string, Message>, message: Message): void {
    map.set(message.topic, message);
    this.#tree.set(message.topic.split("/"), message);
  }

  #hide(topic: string): void {
    if (this.#shown.delete(topic)) this.#tree.remove(topic.split("/"));
  }

  #fits(message: Message): boolean {
    const before = this.#byTopic.get(message.topic);
    const count = this.#byTopic.size + (before === undefined ? 1 : 0);
    const bytes = this.#bytes + weightOf(message) - (before === undefined ? 0 : weightOf(before));
    return count <= this.#bounds.retainedCountMax && bytes <= this.#bounds.retainedBytesMax;
  }

  #dropExpired(nowMs: number): void {
    for (const message of this.#byTopic.values()) if (isExpired(message, nowMs)) this.#drop(message);
  }

  #drop(message: Message): void {
    this.#byTopic.delete(message.topic);
    this.#tree.remove(message.topic.split("/"));
    this.#bytes -= weightOf(message);
    this.#journal.remove(`retained ${message.topic}`, (store) => store.dropRetained(message.topic));
    this.#journal.release(message);
  }
}
