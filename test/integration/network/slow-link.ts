import { connect, createServer, type Server, type Socket } from "node:net";
import { systemTimers } from "../../../src/node/ports.ts";

/** How long a slice of the link's time is. */
const TICK_MS = 5;
/** What a router on the way holds of one connection. */
const HELD_BYTES_MAX = 32 * 1024;

type Pipe = { readonly from: Socket; readonly into: Socket; waiting: Buffer[]; bytes: number };

/** A slow link in front of an address: so many bytes a second in each direction, shared fairly among its connections. */
export class SlowLink {
  readonly #server: Server;
  readonly #pipes = new Map<"up" | "down", Set<Pipe>>([
    ["up", new Set()],
    ["down", new Set()],
  ]);
  readonly #bytesPerTick: number;
  #isClosed = false;

  private constructor(target: string, bytesPerSecond: number) {
    this.#bytesPerTick = (bytesPerSecond * TICK_MS) / 1_000;
    const [host, port] = target.split(":");
    this.#server = createServer({ noDelay: true }, (near) => {
      const far = connect({ host: host ?? "", port: Number(port), noDelay: true });
      this.#join("up", near, far);
      this.#join("down", far, near);
    });
  }

  /** Opens a link to an address. */
  static async open(target: string, bytesPerSecond: number): Promise<SlowLink> {
    const link = new SlowLink(target, bytesPerSecond);
    await new Promise<void>((resolve) => void link.#server.listen(0, "127.0.0.1", () => resolve()));
    link.#tick();
    return link;
  }

  /** Where to dial it. */
  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${address && typeof address === "object" ? address.port : 0}`;
  }

  /** Cuts everything. */
  close(): void {
    this.#isClosed = true;
    this.#server.close();
    for (const pipes of this.#pipes.values()) for (const { from, into } of pipes) for (const socket of [from, into]) socket.destroy();
  }

  #join(way: "up" | "down", from: Socket, into: Socket): void {
    const pipe: Pipe = { from, into, waiting: [], bytes: 0 };
    this.#pipes.get(way)?.add(pipe);
    from.on("data", (chunk: Buffer) => {
      pipe.waiting.push(chunk);
      pipe.bytes += chunk.length;
      if (pipe.bytes >= HELD_BYTES_MAX) from.pause();
    });
    from.on("close", () => {
      this.#pipes.get(way)?.delete(pipe);
      into.destroy();
    });
    from.on("error", () => into.destroy());
  }

  #tick(): void {
    if (this.#isClosed) return;
    for (const pipes of this.#pipes.values()) this.#serve([...pipes].filter(({ bytes }) => bytes > 0));
    systemTimers.after(TICK_MS, () => this.#tick());
  }

  /** Gives each connection that waits its share of this slice; what one does not need the others get. */
  #serve(busy: readonly Pipe[]): void {
    let left = this.#bytesPerTick;
    for (const [index, pipe] of [...busy].sort((a, b) => a.bytes - b.bytes).entries()) {
      left -= this.#forward(pipe, Math.floor(left / (busy.length - index)));
    }
  }

  #forward(pipe: Pipe, share: number): number {
    const all = Buffer.concat(pipe.waiting);
    const part = all.subarray(0, share);
    pipe.waiting = [all.subarray(part.length)];
    pipe.bytes -= part.length;
    pipe.into.write(part);
    if (pipe.bytes < HELD_BYTES_MAX) pipe.from.resume();
    return part.length;
  }
}
