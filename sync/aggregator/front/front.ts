import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import { WebSocketServer } from "ws";
import { assert, err, type Log, ok, type Result, type Timers } from "../../../src/kernel/index.ts";
import type { Ingest } from "../ingest/ingest.ts";
import { noteCertificate, peerOf } from "./connections.ts";
import { SOCKET_BYTES_MAX, serveSyncSocket } from "./sync-socket.ts";

/** What a front is made of. */
export type FrontOptions = {
  readonly application: Hono<{ Bindings: HttpBindings }>;
  readonly ingest: Ingest;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM texts; undefined: plain HTTP. `clientCa` signs the certificates of nodes. */
  readonly tls: { readonly cert: string; readonly key: string; readonly clientCa: string } | undefined;
  readonly timers: Timers;
  readonly log: Log;
  readonly onDefect: (error: unknown) => void;
};

/** Why it cannot listen, for people. */
export type FrontFault = { readonly detail: string };

/** Connections at once; a node has one. */
const CONNECTIONS_MAX = 16_384;
/** Milliseconds for the head of a request, and without any life on a connection. */
const TIMES = { headersMs: 15_000, requestMs: 60_000, keepAliveMs: 75_000, handshakeMs: 15_000, stopMs: 5_000 } as const;

/**
 * The aggregator's doors: HTTP or HTTPS with client certificates, and WebSockets of the sync protocol on the same
 * address.
 *
 * TLS is ended here and the plain connection handed to the HTTP server, since only so a request's handler learns whose
 * certificate its connection was proven with.
 */
export class Front {
  readonly #http: Server;
  readonly #tls: TlsServer | undefined;
  readonly #sockets: WebSocketServer;
  readonly #timers: Timers;
  readonly #host: string;

  private constructor(options: FrontOptions) {
    const { application, ingest, tls, timers, onDefect, listen } = options;
    this.#timers = timers;
    this.#host = listen.host;
    this.#http = createServer(getRequestListener(application.fetch, { overrideGlobalObjects: false }));
    this.#http.headersTimeout = TIMES.headersMs;
    this.#http.requestTimeout = TIMES.requestMs;
    this.#http.keepAliveTimeout = TIMES.keepAliveMs;
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: SOCKET_BYTES_MAX, perMessageDeflate: false });
    this.#http.on("upgrade", (request: IncomingMessage, socket, head) => {
      if (request.url?.split("?")[0] !== "/sync/v1/stream") {
        socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
        return;
      }
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) =>
        serveSyncSocket(webSocket, ingest, peerOf(request.socket), onDefect),
      );
    });
    if (tls === undefined) return;
    const { cert, key, clientCa } = tls;
    // A browser has no certificate, so one is asked for and not required: the sync routes look at it, the console logs in.
    this.#tls = createTlsServer(
      { cert, key, ca: clientCa, requestCert: true, rejectUnauthorized: false, handshakeTimeout: TIMES.handshakeMs },
      (socket) => {
        noteCertificate(socket);
        socket.on("error", () => socket.destroy());
        this.#http.emit("connection", socket);
      },
    );
    this.#tls.maxConnections = CONNECTIONS_MAX;
    this.#tls.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** Opens the doors. */
  static async open(options: FrontOptions): Promise<Result<Front, FrontFault>> {
    const front = new Front(options);
    const { host, port } = options.listen;
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    const server = front.#server;
    server.once("error", resolve);
    server.listen(port, host, () => resolve(undefined));
    const error = await promise;
    if (error) return err({ detail: `expected to listen on ${host}:${port}: ${error.message}` });
    server.on("error", (later) => options.log.error("aggregator.listener", { error: String(later) }));
    return ok(front);
  }

  /** Where it answers. */
  get url(): string {
    const address = this.#server.address();
    assert(address !== null && typeof address === "object", "an open front has an address");
    const { port } = address satisfies AddressInfo;
    return `${this.#tls ? "https" : "http"}://${this.#host.includes(":") ? `[${this.#host}]` : this.#host}:${port}`;
  }

  /** Puts another server certificate into force for the connections to come. */
  renewTls({ cert, key, clientCa }: { readonly cert: string; readonly key: string; readonly clientCa: string }): void {
    this.#tls?.setSecureContext({ cert, key, ca: clientCa });
  }

  /** Closes the doors: running requests are given a while, nodes are told to come back. */
  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.close(1001, "the aggregator stops");
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#timers.after(TIMES.stopMs, resolve);
    this.#server.close(() => resolve());
    this.#http.closeIdleConnections();
    await promise;
    cancel();
    this.#http.closeAllConnections();
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  get #server(): Server | TlsServer {
    return this.#tls ?? this.#http;
  }
}
