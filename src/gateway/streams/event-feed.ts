import { assert } from "../../kernel/index.ts";
import type { EventCursor, EventLane, EventQueries, EventRecord, Unsubscribe } from "../ports.ts";
import { renderCursor, renderEvent } from "../views/resources.ts";

/** An event ready to be sent. */
export type FeedEvent = EventCursor & { readonly cursor: string; readonly json: string };

/** What follows a cursor: events to send, and whether some in between are gone from the log. */
export type FeedPage = { readonly events: readonly FeedEvent[]; readonly isGap: boolean };

/** Events that live readers share; a reader further behind reads the log itself. */
const RECENT_MAX = 512;
/** Events read from the log at once. */
const PAGE = 128;

/**
 * One lane of the event log as its readers see it. The log is the buffer: a reader keeps a cursor and takes pages at its
 * own pace, so a slow one costs nothing but its place. What has just been appended is read and rendered once and shared.
 * Nothing is read inside the append that announces it.
 */
export class EventFeed {
  readonly #lane: EventLane;
  readonly #events: EventQueries;
  readonly #listeners = new Set<() => void>();
  /** The newest events, consecutive, and the cursor before the first of them. */
  #recent: FeedEvent[] = [];
  #recentAfter: EventCursor | undefined;
  /** The read of the log under way, so that readers at one place share it. */
  #reading: { readonly after: EventCursor; readonly page: Promise<FeedPage> } | undefined;

  constructor(lane: EventLane, events: EventQueries) {
    this.#lane = lane;
    this.#events = events;
  }

  /** Called when the lane has grown. */
  onGrown(): void {
    this.#reading = undefined; // it may have looked before the growth, and who asks now must not be told its answer
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }

  /** Calls the listener at the next growth, once. Subscribe before reading, so that no growth falls in between. */
  onceGrown(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The lane's last place now: where a reader without a cursor begins. */
  async head(): Promise<EventCursor> {
    return this.#events.head(this.#lane);
  }

  /** Up to 128 events after a cursor; none when it is at the head. */
  async read(after: EventCursor): Promise<FeedPage> {
    const shared = this.#recentEventsAfter(after);
    if (shared.length > 0) return { events: shared, isGap: false };
    if (this.#reading && isSame(this.#reading.after, after)) return this.#reading.page;
    const page = this.#readLog(after);
    this.#reading = { after, page };
    try {
      return await page;
    } finally {
      if (this.#reading?.page === page) this.#reading = undefined;
    }
  }

  async #readLog(after: EventCursor): Promise<FeedPage> {
    const { records } = await this.#events.read(this.#lane, after, PAGE);
    const [first] = records;
    const isGap = first !== undefined && first.epoch === after.epoch && first.sequence > after.sequence + 1;
    const events = records.map(renderFeedEvent);
    this.#share(after, events);
    return { events, isGap };
  }

  #recentEventsAfter(after: EventCursor): readonly FeedEvent[] {
    if (!this.#recentAfter) return [];
    const at = isSame(this.#recentAfter, after) ? 0 : this.#recent.findLastIndex((event) => isSame(event, after)) + 1;
    return at === 0 && !isSame(this.#recentAfter, after) ? [] : this.#recent.slice(at, at + PAGE);
  }

  /** Keeps a page that continues what is kept, begins anew with one that lies ahead of it, and forgets any other. */
  #share(after: EventCursor, events: readonly FeedEvent[]): void {
    const [first] = events;
    if (!first) return;
    const last = this.#recent.at(-1);
    if (last && isSame(last, after)) this.#recent = [...this.#recent, ...events];
    else if (!last || isBefore(last, first)) {
      this.#recentAfter = after;
      this.#recent = [...events];
    }
    const excess = this.#recent.length - RECENT_MAX;
    if (excess > 0) {
      this.#recentAfter = this.#recent[excess - 1];
      this.#recent = this.#recent.slice(excess);
    }
    assert(this.#recent.length <= RECENT_MAX, "shared events stay within their bound");
  }
}

function renderFeedEvent(record: EventRecord): FeedEvent {
  const { epoch, sequence } = record;
  return { epoch, sequence, cursor: renderCursor(record), json: JSON.stringify(renderEvent(record)) };
}

function isSame(a: EventCursor, b: EventCursor): boolean {
  return a.epoch === b.epoch && a.sequence === b.sequence;
}

function isBefore(a: EventCursor, b: EventCursor): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.sequence < b.sequence);
}
