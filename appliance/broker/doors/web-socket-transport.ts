import type { ServerWebSocket } from "bun";
import type { CancelTimer, Timers } from "../../../src/kernel/index.ts";
import type { Connection, RemoteEndpoint, Transport, TransportSecurity } from "../types.ts";
import type { OutgoingAccount, OutgoingBudget } from "./outgoing-budget.ts";
import { Outlet } from "./outlet.ts";

/** What the runtime keeps with a WebSocket. */
export type WebSocketSeat = { readonly remote: RemoteEndpoint; transport?: WebSocketTransport };

/** Bytes that the runtime holds for a WebSocket; beyond, it closes it. The engine stops far below. */
export const OUTGOING_BYTES_MAX = 4 * 1024 * 1024;
/** Bytes held of a client whose packets are not read for now; the runtime cannot stop a WebSocket's sender, so more ends it. */
const PAUSED_BYTES_MAX = 1024 * 1024;
const CLOSE_MS = 5_000;
/** Close codes of RFC 6455 section 7.4.1. */
const UNSUPPORTED = 1_003;
const TRY_LATER = 1_013;

/** A WebSocket as the engine sees it. */
export class WebSocketTransport implements Transport {
  readonly remote: RemoteEndpoint;
  readonly security: TransportSecurity;
  readonly #socket: ServerWebSocket<WebSocketSeat>;
  readonly #timers: Timers;
  readonly #account: OutgoingAccount;
  readonly #outlet: Outlet;
  #connection: Connection | undefined;
  #pausedChunks: Uint8Array[] = [];
  #pausedBytes = 0;
  #isPaused = false;
  #isBlocked = false;
  /** Bytes that the runtime took and holds. */
  #runtimeBytes = 0;
  #isEnding = false;
  #isGone = false;
  #cancelClose: CancelTimer = () => {};

  /** @param onOutgoingFull the budget ended it: it took nothing for the longest while all together held too much */
  constructor(
    socket: ServerWebSocket<WebSocketSeat>,
    security: TransportSecurity,
    { timers, outgoing }: { readonly timers: Timers; readonly outgoing: OutgoingBudget },
    onOutgoingFull: () => void,
  ) {
    this.remote = socket.data.remote;
    this.security = security;
    this.#socket = socket;
    this.#timers = timers;
    this.#account = outgoing.open(() => {
      onOutgoingFull();
      this.#giveUp();
    });
    this.#outlet = new Outlet(
      (bytes) => this.#send(bytes),
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
    if (this.#isEnding) return;
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
    this.#outlet.onWritable();
    if (this.#isEnding) this.#endWhenEmpty();
  }

  /** For the door: the socket is gone. */
  onClosed(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cancelClose();
    this.#letGo();
    this.#pausedChunks = [];
    this.#connection?.onClosed();
  }

  /** The runtime takes a message whole or, when it holds too much already, not at all. */
  #send(bytes: Uint8Array): number {
    if (this.#isBlocked) return 0;
    const sent = this.#socket.sendBinary(bytes);
    if (sent === 0) return 0;
    if (sent === -1) {
      this.#isBlocked = true; // taken, and held by the runtime: `drain` follows
      this.#runtimeBytes += bytes.length;
      this.#account.hold(bytes.length);
    }
    return bytes.length;
  }

  /** Of what the runtime holds, the client took all but what is left. */
  #countTaken(): void {
    const left = Math.min(this.#runtimeBytes, this.#socket.getBufferedAmount());
    const taken = this.#runtimeBytes - left;
    this.#runtimeBytes = left;
    if (taken > 0) this.#account.take(taken);
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
    this.#runtimeBytes = 0;
  }

  #endWhenEmpty(): void {
    if (this.#outlet.waitingBytes === 0) this.#socket.close();
  }
}
