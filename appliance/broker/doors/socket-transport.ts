import type { Socket } from "bun";
import type { CancelTimer, Timers } from "../../../src/kernel/index.ts";
import type { Connection, RemoteEndpoint, Transport, TransportSecurity } from "../types.ts";
import type { OutgoingAccount, OutgoingBudget } from "./outgoing-budget.ts";
import { Outlet } from "./outlet.ts";

/** How long the last bytes of a connection that is being closed may take to leave. */
const CLOSE_MS = 5_000;

/** A TCP or TLS socket as the engine sees it. */
export class SocketTransport implements Transport {
  readonly remote: RemoteEndpoint;
  readonly security: TransportSecurity;
  readonly #socket: Socket<unknown>;
  readonly #timers: Timers;
  readonly #account: OutgoingAccount;
  readonly #outlet: Outlet;
  #connection: Connection | undefined;
  #error: Error | undefined;
  #isEnding = false;
  #isGone = false;
  #cancelClose: CancelTimer = () => {};

  /** @param onOutgoingFull the budget ended it: it took nothing for the longest while all together held too much */
  constructor(
    socket: Socket<unknown>,
    security: TransportSecurity,
    { timers, outgoing }: { readonly timers: Timers; readonly outgoing: OutgoingBudget },
    onOutgoingFull: () => void,
  ) {
    this.remote = { address: socket.remoteAddress, port: socket.remotePort };
    this.security = security;
    this.#socket = socket;
    this.#timers = timers;
    this.#account = outgoing.open(() => {
      onOutgoingFull();
      this.#giveUp();
    });
    this.#outlet = new Outlet(
      (bytes) => Math.max(0, socket.write(bytes)), // -1: the socket is closing; `close` follows and drops the rest
      () => this.#connection?.onDrain(),
      this.#account,
    );
  }

  /** From here on the connection hears of what arrives. */
  serve(connection: Connection): void {
    this.#connection = connection;
  }

  write(bytes: Uint8Array): boolean {
    return this.#isEnding ? true : this.#outlet.write(bytes);
  }

  close(): void {
    if (this.#isEnding || this.#isGone) return;
    this.#outlet.flush();
    this.#isEnding = true;
    this.#cancelClose = this.#timers.after(CLOSE_MS, () => this.destroy());
    this.#endWhenEmpty();
  }

  destroy(): void {
    if (this.#isGone) return;
    this.#isEnding = true;
    this.#letGo();
    this.#socket.terminate();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** For the door: bytes came. */
  onBytes(chunk: Uint8Array): void {
    if (!this.#isEnding) this.#connection?.onBytes(chunk);
  }

  /** For the door: the socket takes more. */
  onWritable(): void {
    this.#outlet.onWritable();
    if (this.#isEnding) this.#endWhenEmpty();
  }

  /** For the door: the socket failed; it closes next. */
  onError(error: Error): void {
    this.#error = error;
  }

  /** For the door: the socket is gone. */
  onClosed(error: Error | undefined): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cancelClose();
    this.#letGo();
    this.#connection?.onClosed(error ?? this.#error);
  }

  /** What is held goes at once, the socket when whoever is writing has returned. */
  #giveUp(): void {
    this.#isEnding = true;
    this.#letGo();
    queueMicrotask(() => this.destroy());
  }

  #letGo(): void {
    this.#outlet.close();
    this.#account.close();
  }

  #endWhenEmpty(): void {
    if (this.#outlet.waitingBytes === 0) this.#socket.end();
  }
}
