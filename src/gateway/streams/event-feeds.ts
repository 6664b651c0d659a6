import type { EventLane, EventQueries, Unsubscribe } from "../ports.ts";
import { EventFeed } from "./event-feed.ts";

/** The feeds of all lanes, woken by one subscription. */
export class EventFeeds {
  readonly #feeds: Readonly<Record<EventLane, EventFeed>>;
  readonly #unsubscribe: Unsubscribe;

  constructor(events: EventQueries) {
    this.#feeds = { crit: new EventFeed("crit", events), chain: new EventFeed("chain", events), ops: new EventFeed("ops", events) };
    this.#unsubscribe = events.subscribe((lane) => this.#feeds[lane].onGrown());
  }

  /** The feed of a lane. */
  of(lane: EventLane): EventFeed {
    return this.#feeds[lane];
  }

  /** Ends the subscription. */
  close(): void {
    this.#unsubscribe();
  }
}
