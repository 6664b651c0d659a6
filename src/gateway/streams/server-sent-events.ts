import { type CancelTimer, type Timers, utf8 } from "../../kernel/index.ts";
import type { EventLane } from "../ports.ts";
import type { FeedPage } from "./event-feed.ts";
import type { EventReader } from "./event-reader.ts";
import type { OpenStream, StreamEnd } from "./open-streams.ts";

/** What a server-sent stream needs. */
export type ServerSentOptions = {
  readonly lane: EventLane;
  readonly reader: EventReader;
  readonly timers: Timers;
  /** How long the client may take nothing before it is disconnected. */
  readonly stallMs: number;
  /** Called once when the stream is over, whoever ended it. */
  readonly onEnd: (reason: StreamEnd | "client") => void;
  /** Called when reading the log failed. */
  readonly onDefect: (error: unknown) => void;
};

/** How long a client waits before it connects again, in milliseconds. */
const RETRY_MS = 2_000;

/**
 * Events to one client as server-sent events. The body is pulled: nothing is read from the log before the socket took
 * what came before, so a client holds at most one page in memory. One that takes nothing for `stallMs` is disconnected
 * with `close` and its reason, and resumes by Last-Event-ID.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class ServerSentStream implements OpenStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #options: ServerSentOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #cancelStall: CancelTimer | undefined;
  #hasEnded = false;

  constructor(options: ServerSentOptions) {
    this.#options = options;
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (controller) => {
        this.#controller = controller;
        controller.enqueue(utf8(`retry: ${RETRY_MS}\n: open\n\n`));
      },
      pull: () => this.#onPull(),
      cancel: () => this.#finish("client"),
    };
    this.body = new ReadableStream(source, { highWaterMark: 0 });
  }

  /** Ends the stream with a last event that says why. */
  end(reason: StreamEnd): void {
    if (this.#hasEnded) return;
    this.#controller?.enqueue(utf8(`event: close\ndata: ${JSON.stringify({ reason })}\n\n`));
    this.#controller?.close();
    this.#finish(reason);
  }

  async #onPull(): Promise<void> {
    this.#cancelStall?.();
    try {
      const next = await this.#options.reader.next();
      if (this.#hasEnded || next.kind === "closed") return;
      this.#controller?.enqueue(utf8(next.kind === "events" ? renderPage(this.#options.lane, next) : ": heartbeat\n\n"));
      this.#cancelStall = this.#options.timers.after(this.#options.stallMs, () => this.end("slowClient"));
    } catch (error) {
      this.#options.onDefect(error);
      this.end("internal");
    }
  }

  #finish(reason: StreamEnd | "client"): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelStall?.();
    this.#options.reader.close();
    this.#options.onEnd(reason);
  }
}

function renderPage(lane: EventLane, { events, isGap }: FeedPage): string {
  const gap = isGap ? `event: gap\ndata: ${JSON.stringify({ lane, resumedAt: events[0]?.cursor })}\n\n` : "";
  return gap + events.map(({ cursor, json }) => `id: ${lane}.${cursor}\ndata: ${json}\n\n`).join("");
}
