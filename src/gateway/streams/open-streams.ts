import { assert } from "../../kernel/index.ts";

/** Why the gateway ends a stream: it shuts down, the client took nothing for too long, or reading the log failed. */
export type StreamEnd = "shutdown" | "slowClient" | "internal";

/** A stream that can be ended with a reason; ending it twice is harmless. */
export interface OpenStream {
  end(reason: StreamEnd): void;
}

/** The event streams of all clients: bounded in number, ended together at shutdown. */
export class OpenStreams {
  readonly #streamsMax: number;
  readonly #streams = new Set<OpenStream>();
  #isClosed = false;

  constructor(streamsMax: number) {
    this.#streamsMax = streamsMax;
  }

  /** Streams open now. */
  get count(): number {
    return this.#streams.size;
  }

  /** Whether the next one will be refused. */
  get isFull(): boolean {
    return this.#isClosed || this.#streams.size >= this.#streamsMax;
  }

  /** Counts a stream as open; the caller has asked `isFull` in the same turn. */
  add(stream: OpenStream): void {
    assert(!this.isFull, "streams stay within their bound");
    this.#streams.add(stream);
  }

  /** Counts a stream as closed. */
  remove(stream: OpenStream): void {
    this.#streams.delete(stream);
  }

  /** Ends all and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const stream of [...this.#streams]) stream.end("shutdown");
  }
}
