import type { CancelTimer, Timers } from "../../../src/kernel/index.ts";
import type { Connection } from "../types.ts";
import type { OutgoingAccount, OutgoingBudget } from "./outgoing-budget.ts";
import { Outlet } from "./outlet.ts";

/** How long the last bytes of a connection that is being closed may take to leave. */
const CLOSE_MS = 5_000;

/** A socket of whatever kind, as its bytes leave through it. */
export type OutgoingSocket = {
  /** Takes as many of the bytes as it can now, and says how many. */
  send(bytes: Uint8Array): number;
  /** Closes it in order, once nothing is held here. */
  end(): void;
  /** Ends it at once. */
  terminate(): void;
  /** What is held beside the outlet is dropped. */
  letGo?(): void;
};

/** What sockets of all doors share. */
export type OutgoingPorts = { readonly timers: Timers; readonly outgoing: OutgoingBudget };

/**
 * How a connection's bytes leave and how it ends, the same for a socket of every kind: a close waits a while for what is held,
 * an end drops it, and so does the budget of all connections when this one takes nothing for the longest. Whoever serves it
 * hears once that it is gone.
 */
export class WayOut {
  readonly #socket: OutgoingSocket;
  readonly #timers: Timers;
  readonly #account: OutgoingAccount;
  readonly #outlet: Outlet;
  #connection: Connection | undefined;
  #isEnding = false;
  #isGone = false;
  #cancelClose: CancelTimer = () => {};

  /** @param onOutgoingFull the budget ended it: it took nothing for the longest while all together held too much */
  constructor(socket: OutgoingSocket, { timers, outgoing }: OutgoingPorts, onOutgoingFull: () => void) {
    this.#socket = socket;
    this.#timers = timers;
    this.#account = outgoing.open(() => {
      onOutgoingFull();
      this.#giveUp();
    });
    this.#outlet = new Outlet(
      (bytes) => socket.send(bytes),
      () => this.#connection?.onDrain(),
      this.#account,
    );
  }

  /** Whoever hears of what arrives; undefined before anybody does, and once the connection is ending. */
  get reader(): Connection | undefined {
    return this.#isEnding ? undefined : this.#connection;
  }

  /** Whether nothing that arrives counts any more. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Where bytes are counted that are held for this connection elsewhere than here. */
  get account(): OutgoingAccount {
    return this.#account;
  }

  /** From here on the connection hears of what arrives. */
  serve(connection: Connection): void {
    this.#connection = connection;
  }

  /** Takes bytes; false: wait for `onDrain` before more. */
  write(bytes: Uint8Array): boolean {
    return this.#isEnding ? true : this.#outlet.write(bytes);
  }

  /** Closes in order: what is held has five seconds to leave. */
  close(): void {
    if (this.#isEnding || this.#isGone) return;
    this.#outlet.flush();
    this.#isEnding = true;
    this.#cancelClose = this.#timers.after(CLOSE_MS, () => this.destroy());
    this.#endWhenEmpty();
  }

  /** Ends at once. */
  destroy(): void {
    if (this.#isGone) return;
    this.#isEnding = true;
    this.#letGo();
    this.#socket.terminate();
  }

  /** The socket takes more. */
  onWritable(): void {
    this.#outlet.onWritable();
    if (this.#isEnding) this.#endWhenEmpty();
  }

  /** The socket is gone. */
  onClosed(error?: Error): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#cancelClose();
    this.#letGo();
    this.#connection?.onClosed(error);
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
    this.#socket.letGo?.();
  }

  #endWhenEmpty(): void {
    if (this.#outlet.waitingBytes === 0) this.#socket.end();
  }
}
