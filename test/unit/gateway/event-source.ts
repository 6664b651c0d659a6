/** A message of a server-sent stream. */
export type Message = { readonly id?: string; readonly event?: string; readonly data: string };

/** Reads a server-sent stream piece by piece, as a browser's EventSource would. */
export class EventSourceReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";
  /** Heartbeats met so far. */
  heartbeats = 0;

  constructor(response: Response) {
    if (!response.body) throw new Error("the response has no body");
    this.#reader = response.body.getReader();
  }

  /** The next message; undefined when the stream has ended. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const block = await this.#nextBlock();
      if (block === undefined) return undefined;
      if (block.startsWith(": heartbeat")) this.heartbeats++;
      const fields = new Map(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      const data = fields.get("data");
      if (data === undefined) continue;
      const [id, event] = [fields.get("id"), fields.get("event")];
      return { data, ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }) };
    }
  }

  /** The next heartbeat, which comes when nothing else does. */
  async nextHeartbeat(): Promise<void> {
    const block = await this.#nextBlock();
    if (block === undefined || !block.startsWith(": heartbeat")) throw new Error(`no heartbeat: ${block}`);
  }

  /** Closes the connection. */
  async cancel(): Promise<void> {
    await this.#reader.cancel();
  }

  async #nextBlock(): Promise<string | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return block;
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }
}
