import type { Socket } from "bun";
import type { Connection, RemoteEndpoint, Transport, TransportSecurity } from "../types.ts";
import { type OutgoingPorts, WayOut } from "./way-out.ts";

/** A TCP or TLS socket as the engine sees it. */
export class SocketTransport implements Transport {
  readonly remote: RemoteEndpoint;
  readonly security: TransportSecurity;
  readonly #socket: Socket<unknown>;
  readonly #way: WayOut;
  #error: Error | undefined;

  /** @param onOutgoingFull the budget ended it: it took nothing for the longest while all together held too much */
  constructor(socket: Socket<unknown>, security: TransportSecurity, ports: OutgoingPorts, onOutgoingFull: () => void) {
    this.remote = { address: socket.remoteAddress, port: socket.remotePort };
    this.security = security;
    this.#socket = socket;
    const outgoing = {
      send: (bytes: Uint8Array) => Math.max(0, socket.write(bytes)), // -1: the socket is closing; `close` follows and drops the rest
      end: () => void socket.end(),
      terminate: () => void socket.terminate(),
    };
    this.#way = new WayOut(outgoing, ports, onOutgoingFull);
  }

  /** From here on the connection hears of what arrives. */
  serve(connection: Connection): void {
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
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** For the door: bytes came. */
  onBytes(chunk: Uint8Array): void {
    this.#way.reader?.onBytes(chunk);
  }

  /** For the door: the socket takes more. */
  onWritable(): void {
    this.#way.onWritable();
  }

  /** For the door: the socket failed; it closes next. */
  onError(error: Error): void {
    this.#error = error;
  }

  /** For the door: the socket is gone. */
  onClosed(error: Error | undefined): void {
    this.#way.onClosed(error ?? this.#error);
  }
}
