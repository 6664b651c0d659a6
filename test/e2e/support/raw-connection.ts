import { connect, type Socket } from "node:net";

/** A TCP connection on which anything may be said, to the letter. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];
  readonly #closed: Promise<void>;
  #isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => this.#received.push(Buffer.from(chunk)));
    socket.on("error", () => {}); // a reset is one of the answers looked for; `close` follows
    this.#closed = new Promise((resolve) =>
      socket.on("close", () => {
        this.#isClosed = true;
        resolve();
      }),
    );
  }

  /**
   * Connects to the address of a URL.
   *
   * @param from address of this machine to come from, e.g. another one of loopback
   */
  static async open(url: string, from?: string): Promise<RawConnection> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), ...(from === undefined ? {} : { localAddress: from }) });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", reject);
    });
    return new RawConnection(socket);
  }

  /** What has come back so far, as text. */
  get text(): string {
    return Buffer.concat(this.#received).toString("latin1");
  }

  /** Status codes of the answers so far. */
  get statuses(): number[] {
    return [...this.text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code));
  }

  /** Whether the other side has closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Says this. */
  send(content: string | Buffer): void {
    this.#socket.write(content);
  }

  /** Resolves when this many answers have begun, or the connection is closed; throws when neither happens in time. */
  async answered(count: number, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (this.statuses.length < count && !this.#isClosed) {
      if (performance.now() > deadline)
        throw new Error(`${this.statuses.length} of ${count} answers after ${limitMs} ms: ${this.text.slice(0, 300)}`);
      await Bun.sleep(2);
    }
  }

  /** Resolves when the other side has closed; throws when it has not in time. */
  async closed(limitMs: number): Promise<void> {
    const isClosed = await Promise.race([this.#closed.then(() => true), Bun.sleep(limitMs).then(() => false)]);
    if (!isClosed) throw new Error(`the connection is still open after ${limitMs} ms: ${this.text.slice(0, 300)}`);
  }

  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause();
  }

  /** Goes away without a word. */
  cut(): void {
    this.#socket.destroy();
  }
}

/** A POST of transactions as bytes on the wire. */
export function postBytes(body: Buffer, declared = body.length, contentType = "application/cose"): Buffer {
  const lines = ["POST /api/v2/transactions HTTP/1.1", "Host: node", `Content-Type: ${contentType}`, `Content-Length: ${declared}`, "", ""];
  return Buffer.concat([Buffer.from(lines.join("\r\n")), body]);
}
