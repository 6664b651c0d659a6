import type { Server } from "bun";
import { assert, type Clock, err, type Log, ok, type Result, type Timers } from "../kernel/index.ts";
import type { MetricRegistry } from "../monitoring/index.ts";
import { makeApplication } from "./application.ts";
import { Front } from "./front.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { FULL_BODIES_MAX, type GatewayLimits } from "./limits.ts";
import type { GatewayPorts } from "./ports.ts";
import { BodyBudget } from "./request-body.ts";
import type { Build, RouteContext } from "./routes/context.ts";
import { SettlementWaits } from "./settlement-waits.ts";
import { EventFeeds } from "./streams/event-feeds.ts";
import { OpenStreams } from "./streams/open-streams.ts";
import type { WebSocketStream } from "./streams/web-socket-stream.ts";

/** What a gateway is made of. */
export type GatewayOptions = {
  readonly ports: GatewayPorts;
  readonly limits: GatewayLimits;
  /** Address to listen on; port 0 lets the system choose. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly build: Build;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** Where the gateway counts, and what `/metrics` tells. */
  readonly registry: MetricRegistry;
  /** Told of errors that nothing expected, a broken invariant among them; the node decides whether to go on. */
  readonly onDefect: (error: unknown) => void;
};

/** Why the gateway cannot listen: the address is taken, not this machine's, or not allowed. */
export type ListenFault = { readonly code: "addressInUse" | "addressNotAvailable" | "permissionDenied"; readonly detail: string };

/** Seconds after which the runtime closes a connection on which nothing moves. */
const IDLE_TIMEOUT_SECONDS = 30;
/** Bodies are bounded by our own count, which can say so; the runtime's bound would cut the connection without a word. */
const RUNTIME_BODY_BYTES_MAX = 2 ** 40;
/** Bytes the runtime holds for a WebSocket that takes nothing; beyond, it closes it. */
const SOCKET_BUFFER_BYTES_MAX = 1024 * 1024;

/** The HTTP interface of a node: one server, listening from `startGateway` until `stop`. */
export class Gateway {
  readonly #server: Server<WebSocketStream>;
  readonly #front: Front;
  readonly #context: RouteContext;

  /** Made by `startGateway`. */
  constructor(server: Server<WebSocketStream>, front: Front, context: RouteContext) {
    this.#server = server;
    this.#front = front;
    this.#context = context;
  }

  /** Port it listens on. */
  get port(): number {
    const { port } = this.#server;
    assert(port !== undefined, "a listening gateway has a port");
    return port;
  }

  /** Address as a URL without a path, e.g. `http://127.0.0.1:8645`. */
  get url(): string {
    return this.#server.url.origin;
  }

  /**
   * Stops: takes no more connections, ends waits with what is known and streams with their reason, gives running
   * requests `shutdownDeadlineMs`, then closes every connection.
   */
  async stop(): Promise<void> {
    const { timers, limits, log, waits, streams, feeds } = this.#context;
    this.#front.drain();
    waits.close();
    streams.close();
    feeds.close();
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const cancel = timers.after(limits.shutdownDeadlineMs, resolve);
    await Promise.race([this.#server.stop(false), isLate]);
    cancel();
    log.info("http.stopped", { unfinished: this.#front.inFlight });
    await this.#server.stop(true);
  }
}

/** Begins to listen. An address that cannot be had is a verdict, not a crash: `up` moves to another port. */
export function startGateway(options: GatewayOptions): Result<Gateway, ListenFault> {
  const { ports, limits, listen, build, clock, timers, log, registry, onDefect } = options;
  const bodies = new BodyBudget(FULL_BODIES_MAX * limits.bodyBytesMax);
  const waits = new SettlementWaits(ports.transactions, timers, limits.waitsMax);
  const feeds = new EventFeeds(ports.events);
  const streams = new OpenStreams(limits.streamsMax);
  const metrics = new GatewayMetrics(registry, () => ({ inFlight: front.inFlight, waits: waits.count, streams: streams.count }));
  const context: RouteContext = { ports, limits, build, clock, timers, log, bodies, waits, feeds, streams, registry, metrics, onDefect };
  const front = new Front(makeApplication(context), context);
  const server = serve(listen, front, context);
  if (!server.ok) {
    waits.close();
    feeds.close();
    return server;
  }
  log.info("http.listening", { url: server.value.url.origin });
  return ok(new Gateway(server.value, front, context));
}

function serve(listen: GatewayOptions["listen"], front: Front, { onDefect }: RouteContext): Result<Server<WebSocketStream>, ListenFault> {
  const { host, port } = listen;
  try {
    const server = Bun.serve<WebSocketStream>({
      hostname: host,
      port,
      reusePort: false,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      maxRequestBodySize: RUNTIME_BODY_BYTES_MAX,
      development: false,
      fetch: (request, self) => front.answer(request, self),
      error: (error) => {
        onDefect(error);
        return new Response(null, { status: 500 });
      },
      websocket: {
        idleTimeout: 120,
        sendPings: false,
        maxPayloadLength: 1_024,
        backpressureLimit: SOCKET_BUFFER_BYTES_MAX,
        closeOnBackpressureLimit: true,
        perMessageDeflate: false,
        open: (socket) => socket.data.onOpen(socket),
        message: (socket) => socket.data.onMessage(),
        drain: (socket) => socket.data.onDrain(),
        close: (socket) => socket.data.onClose(),
      },
    });
    return ok(server);
  } catch (error) {
    const fault = findListenFault(error, `${host}:${port}`);
    if (!fault) throw error;
    return err(fault);
  }
}

function findListenFault(error: unknown, address: string): ListenFault | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "EADDRINUSE":
      return {
        code: "addressInUse",
        detail: `${address} is taken by another program; set http.listen to another port, or to port 0 for any free one`,
      };
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return { code: "addressNotAvailable", detail: `${address} is no address of this machine; set http.listen to one that is` };
    case "EACCES":
    case "EPERM":
      return { code: "permissionDenied", detail: `this user may not listen on ${address}; set http.listen to a port above 1023` };
    default:
      return undefined;
  }
}
