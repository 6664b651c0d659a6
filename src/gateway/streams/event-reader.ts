import { assert, type Timers } from "../../kernel/index.ts";
import type { EventCursor } from "../ports.ts";
import type { EventFeed, FeedPage } from "./event-feed.ts";

/** What a reader has next: events, a heartbeat because nothing came for a while, or the end. */
export type NextInStream = ({ readonly kind: "events" } & FeedPage) | { readonly kind: "heartbeat" } | { readonly kind: "closed" };

/** One client's place in a lane: replays from its cursor, then follows live, without a seam between. */
export class EventReader {
  readonly #feed: EventFeed;
  readonly #timers: Timers;
  readonly #heartbeatMs: number;
  #cursor: EventCursor;
  #isClosed = false;
  #isReading = false;
  #wake: ((reason: "closed") => void) | undefined;

  /** @param after the last place the client knows; it gets what follows */
  constructor(feed: EventFeed, after: EventCursor, timers: Timers, heartbeatMs: number) {
    this.#feed = feed;
    this.#cursor = after;
    this.#timers = timers;
    this.#heartbeatMs = heartbeatMs;
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The next thing to send; called again only after the last call resolved. */
  async next(): Promise<NextInStream> {
    assert(!this.#isReading, "a reader reads one page at a time");
    this.#isReading = true;
    try {
      return await this.#advance();
    } finally {
      this.#isReading = false;
    }
  }

  /** Ends the stream; a pending `next` resolves as closed. */
  close(): void {
    this.#isClosed = true;
    this.#wake?.("closed");
  }

  async #advance(): Promise<NextInStream> {
    while (!this.#isClosed) {
      const { promise, resolve } = Promise.withResolvers<"grown" | "heartbeat" | "closed">();
      const forget = this.#feed.onceGrown(() => resolve("grown"));
      this.#wake = resolve;
      const cancel = this.#timers.after(this.#heartbeatMs, () => resolve("heartbeat"));
      try {
        const page = await this.#feed.read(this.#cursor);
        if (this.#isClosed) break;
        const last = page.events.at(-1);
        if (last) {
          this.#cursor = { epoch: last.epoch, sequence: last.sequence };
          return { kind: "events", ...page };
        }
        if ((await promise) === "heartbeat") return { kind: "heartbeat" };
      } finally {
        forget();
        cancel();
      }
    }
    return { kind: "closed" };
  }
}
