import type { ServerWebSocket } from "bun";
import type { Connection, RemoteEndpoint, Transport, TransportSecurity } from "../types.ts";
import { type OutgoingPorts, WayOut } from "./way-out.ts";

/** What the runtime keeps with a WebSocket. */
export type WebSocketSeat = { readonly remote: RemoteEndpoint; transport?: WebSocketTransport };

/** Bytes that the runtime holds for a WebSocket; beyond, it closes it. The engine stops far below. */
export const OUTGOING_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes held of a client whose packets are not read for now; the runtime cannot stop a WebSocket's sender, so more ends it. */
const PAUSED_BYTES_MAX = 1024 * 1024;
/** Close codes of RFC 6455 section 7.4.1. */
const UNSUPPORTED = 1_003;
const TRY_LATER = 1_013;

/** A WebSocket as the engine sees it. */
export class WebSocketTransport implements Transport {
  readonly remote: RemoteEndpoint;
  readonly security: TransportSecurity;
  readonly #socket: ServerWebSocket<WebSocketSeat>;
  readonly #way: WayOut;
  #connection: Connection | undefined;
  #pausedChunks: Uint8Array[] = [];
  #pausedBytes = 0;
  #isPaused = false;
  #isBlocked = false;
  /** Bytes that the runtime took and holds. */
  #runtimeBytes = 0;

  /** @param onOutgoingFull the budget ended it: it took nothing for the longest while all together held too much */
  constructor(socket: ServerWebSocket<WebSocketSeat>, security: TransportSecurity, ports: OutgoingPorts, onOutgoingFull: () => void) {
    this.remote = socket.data.remote;
    this.security = security;
    this.#socket = socket;
    const outgoing = {
      send: (bytes: Uint8Array) => this.#send(bytes),
      end: () => socket.close(),
      terminate: () => socket.terminate(),
      letGo: () => {
        this.#runtimeBytes = 0;
      },
    };
    this.#way = new WayOut(outgoing, ports, onOutgoingFull);
  }

  /** From here on the connection hears of what arrives. */
  serve(connection: Connection): void {
    this.#connection = connection;
    this.#way.serve(connection);
  }

  write(bytes: Uint8Array): boolean {
    return this.#way.write(bytes);
  }

  close(): void {
    this.#way.close();
  }

  destroy(): void {
    this.#way.destroy();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused) {
      const chunk = this.#pausedChunks.shift();
      if (chunk === undefined) return;
      this.#pausedBytes -= chunk.length;
      this.#connection?.onBytes(chunk);
    }
  }

  /** For the door: a message came; MQTT speaks in binary ones only. */
  onMessage(message: string | Uint8Array): void {
    if (this.#way.isEnding) return;
    if (typeof message === "string") {
      this.#socket.close(UNSUPPORTED, "MQTT is binary");
      return;
    }
    if (!this.#isPaused) {
      this.#connection?.onBytes(message);
      return;
    }
    this.#pausedChunks.push(message);
    this.#pausedBytes += message.length;
    if (this.#pausedBytes > PAUSED_BYTES_MAX) this.#socket.close(TRY_LATER, "too much at once");
  }

  /** For the door: the socket takes more. */
  onWritable(): void {
    this.#isBlocked = false;
    this.#countTaken();
    this.#way.onWritable();
  }

  /** For the door: the socket is gone. */
  onClosed(): void {
    this.#pausedChunks = [];
    this.#way.onClosed();
  }

  /** The runtime takes a message whole or, when it holds too much already, not at all. */
  #send(bytes: Uint8Array): number {
    if (this.#isBlocked) return 0;
    const sent = this.#socket.sendBinary(bytes);
    if (sent === 0) return 0;
    if (sent === -1) {
      this.#isBlocked = true; // taken, and held by the runtime: `drain` follows
      this.#runtimeBytes += bytes.length;
      this.#way.account.hold(bytes.length);
    }
    return bytes.length;
  }

  /** Of what the runtime holds, the client took all but what is left. */
  #countTaken(): void {
    const left = Math.min(this.#runtimeBytes, this.#socket.getBufferedAmount());
    const taken = this.#runtimeBytes - left;
    this.#runtimeBytes = left;
    if (taken > 0) this.#way.account.take(taken);
  }
}
