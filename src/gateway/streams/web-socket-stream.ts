import type { ServerWebSocket } from "bun";
import { type CancelTimer, type Timers, unreachable } from "../../kernel/index.ts";
import type { EventReader, NextInStream } from "./event-reader.ts";
import type { OpenStream, StreamEnd } from "./open-streams.ts";

/** What a WebSocket stream needs. */
export type WebSocketStreamOptions = {
  readonly reader: EventReader;
  readonly timers: Timers;
  /** How long the client may take nothing before it is disconnected. */
  readonly stallMs: number;
  /** Called once when the stream is over, whoever ended it. */
  readonly onEnd: (reason: StreamEnd | "client") => void;
  /** Called when reading the log failed. */
  readonly onDefect: (error: unknown) => void;
};

/** Close codes: going away, try again later, internal error. */
const CLOSE_CODES = { shutdown: 1001, slowClient: 1013, internal: 1011 } as const satisfies Record<StreamEnd, number>;
/** Policy violation: the client sent something; the stream only tells. */
const CLOSE_CODE_SPEAKING = 1008;

/**
 * Events to one client, each a text message with the event's JSON. After a message that did not fit the socket's buffer
 * nothing more is read or sent until it has drained, so a client holds at most one page beyond that buffer. One that
 * takes nothing for `stallMs` is closed with its reason and resumes by `after`.
 */
export class WebSocketStream implements OpenStream {
  readonly #options: WebSocketStreamOptions;
  #socket: ServerWebSocket<WebSocketStream> | undefined;
  #onDrained: (() => void) | undefined;
  #hasEnded = false;

  constructor(options: WebSocketStreamOptions) {
    this.#options = options;
  }

  /** The socket is open: begins to send. */
  onOpen(socket: ServerWebSocket<WebSocketStream>): void {
    this.#socket = socket;
    void this.#run(socket);
  }

  /** The client sent something, which this stream does not take. */
  onMessage(): void {
    this.#socket?.close(CLOSE_CODE_SPEAKING, "this stream takes no messages");
  }

  /** The socket's buffer is empty again. */
  onDrain(): void {
    this.#onDrained?.();
  }

  /** The socket is closed. */
  onClose(): void {
    this.#finish("client");
  }

  /** Closes the socket with the reason's code; one that does not answer is cut. */
  end(reason: StreamEnd): void {
    const socket = this.#socket;
    if (this.#hasEnded) return;
    this.#finish(reason);
    socket?.close(CLOSE_CODES[reason], reason);
    if (socket && socket.getBufferedAmount() > 0) this.#options.timers.after(1_000, () => socket.terminate());
  }

  async #run(socket: ServerWebSocket<WebSocketStream>): Promise<void> {
    try {
      while (!this.#hasEnded) {
        const next = await this.#options.reader.next();
        if (this.#hasEnded || next.kind === "closed") return;
        await this.#send(socket, next);
      }
    } catch (error) {
      this.#options.onDefect(error);
      this.end("internal");
    }
  }

  async #send(socket: ServerWebSocket<WebSocketStream>, next: Exclude<NextInStream, { kind: "closed" }>): Promise<void> {
    switch (next.kind) {
      case "heartbeat":
        socket.ping();
        return;
      case "events":
        for (const { json } of next.events) {
          // Negative: queued, the socket is full. Zero: dropped, the socket is closed or will be.
          if (!this.#hasEnded && socket.send(json) < 0) await this.#drained();
        }
        return;
      default:
        unreachable(next);
    }
  }

  async #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancelStall: CancelTimer = this.#options.timers.after(this.#options.stallMs, () => this.end("slowClient"));
    this.#onDrained = resolve;
    await promise;
    cancelStall();
  }

  #finish(reason: StreamEnd | "client"): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onDrained?.();
    this.#options.reader.close();
    this.#options.onEnd(reason);
  }
}
