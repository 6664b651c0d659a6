import type { Journal } from "../journal.ts";
import { isExpired, type Message, weightOf } from "../message.ts";
import { filterMatches, type TopicFilter } from "../topics/topic-rules.ts";

/** Bounds on what is retained. */
export interface RetainedBounds {
  readonly retainedCountMax: number;
  readonly retainedBytesMax: number;
}

type Retained = { readonly message: Message; readonly levels: readonly string[] };

/**
 * The last retained message of each topic, within a count and bytes; durable, of every QoS. A new topic beyond the bound is
 * refused, what is there stays.
 */
export class RetainedMessages {
  readonly #bounds: RetainedBounds;
  readonly #journal: Journal;
  readonly #byTopic = new Map<string, Retained>();
  /** Not durable; no topic stands here and above. */
  readonly #shown = new Map<string, Retained>();
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
    this.#byTopic.set(message.topic, { message, levels: message.topic.split("/") });
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
    this.#shown.delete(message.topic);
    const before = this.#byTopic.get(message.topic);
    if (message.payload.length === 0) {
      if (before !== undefined) this.#drop(before);
      return;
    }
    this.#journal.refer(message);
    this.#byTopic.set(message.topic, { message, levels: message.topic.split("/") });
    this.#bytes += weightOf(message);
    const { topic, id } = message;
    this.#journal.put(`retained ${topic}`, (store) => store.putRetained(topic, id), before === undefined);
    if (before === undefined) return;
    this.#bytes -= weightOf(before.message);
    this.#journal.release(before.message);
  }

  /** As `keep`, for what the broker (`$SYS`) and its node say of themselves: a limited set of topics, outside the bounds and never durable. */
  show(message: Message): void {
    const before = this.#byTopic.get(message.topic);
    if (before !== undefined) this.#drop(before);
    if (message.payload.length === 0) this.#shown.delete(message.topic);
    else this.#shown.set(message.topic, { message, levels: message.topic.split("/") });
  }

  /** What a new subscription with this filter gets, by topic. */
  matching(filter: TopicFilter, nowMs: number): readonly Message[] {
    const hasWildcard = filter.levels.includes("+") || filter.levels.includes("#");
    const exact = this.#byTopic.get(filter.inner) ?? this.#shown.get(filter.inner);
    const candidates = hasWildcard ? [...this.#byTopic.values(), ...this.#shown.values()] : exact === undefined ? [] : [exact];
    const isSys = filter.levels[0] === "$SYS";
    return candidates
      .filter(
        ({ message, levels }) =>
          isSys === message.topic.startsWith("$") && filterMatches(filter.levels, levels) && !isExpired(message, nowMs),
      )
      .map(({ message }) => message);
  }

  #fits(message: Message): boolean {
    const before = this.#byTopic.get(message.topic);
    const count = this.#byTopic.size + (before === undefined ? 1 : 0);
    const bytes = this.#bytes + weightOf(message) - (before === undefined ? 0 : weightOf(before.message));
    return count <= this.#bounds.retainedCountMax && bytes <= this.#bounds.retainedBytesMax;
  }

  #dropExpired(nowMs: number): void {
    for (const retained of this.#byTopic.values()) if (isExpired(retained.message, nowMs)) this.#drop(retained);
  }

  #drop({ message }: Retained): void {
    this.#byTopic.delete(message.topic);
    this.#bytes -= weightOf(message);
    this.#journal.remove(`retained ${message.topic}`, (store) => store.dropRetained(message.topic));
    this.#journal.release(message);
  }
}
