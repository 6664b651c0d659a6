import type { Server } from "bun";
import type { Result } from "../../../src/kernel/index.ts";
import type { RemoteEndpoint } from "../types.ts";
import { listening, urlOf } from "./listen-fault.ts";
import { isOriginAllowed } from "./origin-rules.ts";
import type { Door, DoorAddress, DoorFault, SharedDoorPorts, TlsIdentity } from "./types.ts";
import { OUTGOING_BYTES_MAX, type WebSocketSeat, WebSocketTransport } from "./web-socket-transport.ts";

/** Seconds until a connection that sends no request is closed. */
const IDLE_SECONDS = 10;
/** Bytes of one WebSocket message: MQTT packets may be cut anywhere, so a message need not hold a whole one. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
/** The sub-protocol of MQTT (section 6). */
const PROTOCOL = "mqtt";
const PATHS: ReadonlySet<string> = new Set(["/", "/mqtt"]);

/** What the WebSocket door is told. */
export type WebSocketOptions = {
  readonly address: DoorAddress;
  /** Makes it `wss`; without client certificates, which the runtime's server does not show. */
  readonly identity?: Pick<TlsIdentity, "certificate" | "key">;
  /** Origins of pages that may connect from elsewhere. */
  readonly origins: readonly string[];
};

/**
 * Opens the door for MQTT over WebSocket: binary messages of the sub-protocol `mqtt` at `/mqtt` or `/`.
 *
 * @see MQTT 5.0 section 6
 */
export function openWebSocketDoor({ address, identity, origins }: WebSocketOptions, ports: SharedDoorPorts): Result<Door, DoorFault> {
  const { broker, counts } = ports;
  const open = new Set<WebSocketTransport>();
  const isEncrypted = identity !== undefined;
  const answer = (request: Request, server: Server<WebSocketSeat>): Response | undefined => {
    const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((word) => word.trim());
    if (!PATHS.has(new URL(request.url).pathname)) return new Response("MQTT is spoken at /mqtt\n", { status: 404 });
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket" || !offered.includes(PROTOCOL)) {
      return new Response(`expected a WebSocket of the sub-protocol ${PROTOCOL}\n`, { status: 426, headers: { upgrade: "websocket" } });
    }
    if (!isOriginAllowed(request.headers.get("origin"), request.headers.get("host"), origins)) {
      counts.add("webSocket", "originRefused");
      return new Response("pages from this origin may not connect (mqtt.webSocketOrigins)\n", { status: 403 });
    }
    const peer = server.requestIP(request);
    if (!peer) return new Response("the connection is gone\n", { status: 400 });
    const remote: RemoteEndpoint = { address: peer.address, port: peer.port };
    const isUpgraded = server.upgrade(request, { data: { remote }, headers: { "sec-websocket-protocol": PROTOCOL } });
    return isUpgraded ? undefined : new Response("the upgrade failed\n", { status: 400 });
  };
  const server = listening("mqtt.webSocketListen", address, () =>
    Bun.serve<WebSocketSeat>({
      hostname: address.host,
      port: address.port,
      idleTimeout: IDLE_SECONDS,
      maxRequestBodySize: 1_024,
      development: false,
      ...(identity ? { tls: { cert: identity.certificate, key: identity.key } } : {}),
      fetch: (request, running) => answer(request, running),
      websocket: {
        idleTimeout: 0, // silence is judged by MQTT's keep alive
        sendPings: false,
        perMessageDeflate: false,
        maxPayloadLength: MESSAGE_BYTES_MAX,
        backpressureLimit: OUTGOING_BYTES_MAX,
        closeOnBackpressureLimit: true,
        open(socket) {
          const transport = new WebSocketTransport(socket, { isEncrypted }, ports, () => counts.add("webSocket", "outgoingFull"));
          const connection = broker.accept(transport);
          counts.add("webSocket", connection.ok ? "opened" : "refused");
          if (!connection.ok) {
            socket.terminate();
            return;
          }
          socket.data.transport = transport;
          open.add(transport);
          transport.serve(connection.value);
        },
        message: (socket, message) => socket.data.transport?.onMessage(message),
        drain: (socket) => socket.data.transport?.onWritable(),
        close(socket) {
          const { transport } = socket.data;
          if (!transport) return;
          open.delete(transport);
          transport.onClosed();
        },
      },
    }),
  );
  if (!server.ok) return server;
  const { value } = server;
  const port = value.port ?? address.port;
  const door: Door = {
    url: `${urlOf(isEncrypted ? "wss" : "ws", address.host, port)}/mqtt`,
    port,
    close: () => void value.stop(false),
    closeAll: () => {
      for (const transport of [...open]) transport.destroy();
      void value.stop(true);
    },
  };
  return { ok: true, value: door };
}
