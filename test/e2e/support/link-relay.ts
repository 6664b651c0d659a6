import { connect, createServer, type Server, type Socket } from "node:net";
import type { Chance } from "./chance.ts";

/** How a link treats what is sent over it, each way on its own. */
export type LinkManner = {
  /** Milliseconds that bytes take one way. */
  readonly delayMs: number;
  /** Share of TCP segments that are lost and come again after a timeout, which holds up what is behind them. */
  readonly loss: number;
  /** Bytes that pass in a second, all connections of one way together; Infinity: as fast as they come. */
  readonly bytesPerSecond: number;
  /** Whether nothing arrives; the connection stays, and what was sent comes once the cable is mended, as TCP sends it again. */
  readonly isCut: boolean;
};

/** A link that does nothing to what it carries. */
const CLEAR: LinkManner = { delayMs: 0, loss: 0, bytesPerSecond: Number.POSITIVE_INFINITY, isCut: false };

/** Bytes that TCP sends at once, for telling how many segments a write is. */
const SEGMENT_BYTES = 1_448;
/** The least time after which TCP sends a lost segment again. */
const RESEND_MS_MIN = 200;
/** Bytes on their way above which no more are taken from the sender. */
const WAY_BYTES_MAX = 8 * 1024 * 1024;
/** Seconds of a way's rate that a queue before it holds, as a modem's does. */
const QUEUE_SECONDS = 2;

type Way = "out" | "back";

/**
 * A relay before one listener, for machines whose kernel cannot delay or lose packets: it stands for the link between a
 * dialling node and the node behind it. What it does to bytes is what TCP makes of delay and loss on the way.
 */
export class LinkRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Deliver what is due, a function for each way of each connection. */
  readonly #pumps = new Set<() => void>();
  readonly #chance: Chance;
  readonly #manner: Record<Way, LinkManner> = { out: CLEAR, back: CLEAR };
  /** When a way of a bounded rate has passed everything that came so far. */
  readonly #freeAtMs: Record<Way, number> = { out: 0, back: 0 };
  /** Bytes carried. */
  readonly carried: Record<Way, number> = { out: 0, back: 0 };

  private constructor(server: Server, chance: Chance) {
    this.#server = server;
    this.#chance = chance;
  }

  /** Listens on a free port of loopback before this target. */
  static async open(target: { readonly host: string; readonly port: number }, chance: Chance): Promise<LinkRelay> {
    const server = createServer({ allowHalfOpen: false });
    const relay = new LinkRelay(server, chance);
    server.on("connection", (dialler) => relay.#carry(dialler, target));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  /** Where the dialling node finds it. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the relay listens");
    return address.port;
  }

  /** Treats bytes so from now on: `out` from the dialling node to the listener, `back` the other way. */
  treat(way: Way, manner: Partial<LinkManner>): void {
    this.#manner[way] = { ...CLEAR, ...manner };
    for (const pump of this.#pumps) pump();
  }

  /** Ends the link. */
  kill(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #carry(dialler: Socket, target: { readonly host: string; readonly port: number }): void {
    const listener = connect(target.port, target.host);
    for (const socket of [dialler, listener]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy()); // a refused or reset connection: the other end learns of it by the close
      socket.on("close", () => {
        this.#sockets.delete(socket);
        dialler.destroy();
        listener.destroy();
      });
    }
    this.#pipe(dialler, listener, "out");
    this.#pipe(listener, dialler, "back");
  }

  #pipe(from: Socket, to: Socket, way: Way): void {
    const queue: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
    let wayBytes = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const pump = (): void => {
      clearTimeout(timer);
      timer = undefined;
      const nowMs = performance.now();
      for (let next = queue[0]; next && next.dueMs <= nowMs && !this.#manner[way].isCut; next = queue[0]) {
        queue.shift();
        wayBytes -= next.chunk.length;
        if (!to.destroyed) to.write(next.chunk);
      }
      if (wayBytes <= this.#queueBytesMax(way)) from.resume();
      const [next] = queue;
      if (next && !this.#manner[way].isCut) timer = setTimeout(pump, Math.max(1, next.dueMs - nowMs));
    };
    this.#pumps.add(pump);
    from.on("close", () => {
      clearTimeout(timer);
      this.#pumps.delete(pump);
    });
    from.on("data", (chunk: Buffer) => {
      this.carried[way] += chunk.length;
      wayBytes += chunk.length;
      if (wayBytes > this.#queueBytesMax(way)) from.pause();
      const dueMs = this.#passedAtMs(way, chunk.length) + this.#manner[way].delayMs + this.#resendMs(way, chunk.length);
      queue.push({ chunk, dueMs: Math.max(dueMs, queue.at(-1)?.dueMs ?? 0) });
      if (timer === undefined) pump();
    });
  }

  #queueBytesMax(way: Way): number {
    return Math.min(WAY_BYTES_MAX, QUEUE_SECONDS * this.#manner[way].bytesPerSecond);
  }

  /** When the last of these bytes has gone out onto the way, behind those before it. */
  #passedAtMs(way: Way, bytes: number): number {
    const nowMs = performance.now();
    this.#freeAtMs[way] = Math.max(nowMs, this.#freeAtMs[way]) + (1_000 * bytes) / this.#manner[way].bytesPerSecond;
    return this.#freeAtMs[way];
  }

  #resendMs(way: Way, bytes: number): number {
    const { delayMs, loss } = this.#manner[way];
    if (loss === 0) return 0;
    const segments = Math.ceil(bytes / SEGMENT_BYTES);
    const isLost = this.#chance.happens(1 - (1 - loss) ** segments);
    return isLost ? Math.max(RESEND_MS_MIN, 2 * delayMs) : 0;
  }
}
