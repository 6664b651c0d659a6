/** A server of lines on a unix socket, such as the emulator's. */
export class LineSocket {
  readonly #socket: Bun.Socket;

  private constructor(socket: Bun.Socket) {
    this.#socket = socket;
  }

  /**
   * Connects as soon as somebody listens there.
   *
   * @param onLine is told each line without its end
   */
  static async open(path: string, onLine: (line: string) => void, limitMs = 120_000): Promise<LineSocket> {
    const untilMs = performance.now() + limitMs;
    const decoder = new TextDecoder();
    let rest = "";
    const take = (chunk: Uint8Array): void => {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) onLine(line.trimEnd());
    };
    for (;;) {
      try {
        return new LineSocket(await Bun.connect({ unix: path, socket: { data: (_, chunk) => take(chunk) } }));
      } catch (error) {
        const isEarly = error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ECONNREFUSED");
        if (!isEarly || performance.now() >= untilMs) throw error;
        await Bun.sleep(50);
      }
    }
  }

  /** Sends a line; short ones, which the kernel's buffer takes whole. */
  send(line: string): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    const sent = this.#socket.write(bytes);
    if (sent !== bytes.length) throw new Error(`the emulator's socket took ${sent} of ${bytes.length} bytes`);
  }

  close(): void {
    this.#socket.end();
  }
}
