import type { CancelTimer, Clock, Timers } from "../../src/kernel/index.ts";
import { afterLong } from "./deadline.ts";
import type { Journal } from "./journal.ts";
import type { Message } from "./message.ts";
import type { WillRow } from "./rows.ts";

/** A will that is kept until its client says goodbye. */
interface Will {
  readonly message: Message;
  readonly delaySeconds: number;
  readonly expirySeconds: number | undefined;
  /** Set while the client is waited for. */
  cancel: CancelTimer | undefined;
}

/** What wills need. */
export interface WillsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly journal: Journal;
  /** Publishes it now: access was checked at CONNECT. */
  readonly publish: (message: Message, expirySeconds: number | undefined) => void;
}

/**
 * The last words of clients: at most one a client id. They are durable from CONNECT on, so that the end of the process is the
 * end of a connection like any other: they are published after the next start, unless the client is back in time.
 */
export class Wills {
  readonly #options: WillsOptions;
  readonly #byClient = new Map<string, Will>();

  constructor(options: WillsOptions) {
    this.#options = options;
  }

  /** Wills kept. */
  get count(): number {
    return this.#byClient.size;
  }

  /** A client connected with a will. */
  arm(clientId: string, message: Message, delaySeconds: number, expirySeconds: number | undefined): void {
    this.#drop(clientId);
    this.#byClient.set(clientId, { message, delaySeconds, expirySeconds, cancel: undefined });
    this.#options.journal.refer(message);
    this.#save(clientId, undefined, true);
  }

  /** Takes in a will that was kept; `restart` then waits for its client. */
  restore(row: WillRow, message: Message): void {
    this.#options.journal.referStored(message);
    const { clientId, delaySeconds, expirySeconds, dueAtMs } = row;
    this.#byClient.set(clientId, { message, delaySeconds, expirySeconds, cancel: undefined });
    const nowMs = this.#options.clock.nowMs();
    this.#waitUntil(clientId, dueAtMs ?? nowMs + 1000 * delaySeconds);
  }

  /** The client said goodbye, or came back in time to its session: the will is not published. @see MQTT-3.1.2-10, MQTT-3.1.3-9 */
  disarm(clientId: string): void {
    this.#drop(clientId);
  }

  /** The connection ended without goodbye: published after its delay, or when the session ends if that is sooner. */
  onLost(clientId: string, sessionExpirySeconds: number): void {
    const will = this.#byClient.get(clientId);
    if (will === undefined) return;
    const delaySeconds = Math.min(will.delaySeconds, sessionExpirySeconds);
    if (delaySeconds === 0) this.#publish(clientId);
    else this.#waitUntil(clientId, this.#options.clock.nowMs() + 1000 * delaySeconds);
  }

  /** The session ended: a will that was waiting is published now. @see MQTT-3.1.2-8 */
  onSessionEnded(clientId: string): void {
    if (this.#byClient.get(clientId)?.cancel !== undefined) this.#publish(clientId);
  }

  /** Stops waiting; what is kept is published after the next start. */
  stop(): void {
    for (const will of this.#byClient.values()) will.cancel?.();
    this.#byClient.clear();
  }

  #waitUntil(clientId: string, dueAtMs: number): void {
    const will = this.#byClient.get(clientId);
    if (will === undefined) return;
    const { clock, timers } = this.#options;
    will.cancel = afterLong(timers, Math.max(0, dueAtMs - clock.nowMs()), () => this.#publish(clientId));
    this.#save(clientId, dueAtMs, false);
  }

  #publish(clientId: string): void {
    const will = this.#byClient.get(clientId);
    if (will === undefined) return;
    this.#options.publish(will.message, will.expirySeconds); // before it is dropped: one commit holds both
    this.#drop(clientId);
  }

  #save(clientId: string, dueAtMs: number | undefined, isInsert: boolean): void {
    const will = this.#byClient.get(clientId);
    if (will === undefined) return;
    const { delaySeconds, expirySeconds, message } = will;
    const row: WillRow = {
      clientId,
      messageId: message.id,
      delaySeconds,
      ...(expirySeconds === undefined ? {} : { expirySeconds }),
      ...(dueAtMs === undefined ? {} : { dueAtMs }),
    };
    this.#options.journal.put(`will ${clientId}`, (store) => store.putWill(row), isInsert);
  }

  #drop(clientId: string): void {
    const will = this.#byClient.get(clientId);
    if (will === undefined) return;
    will.cancel?.();
    this.#byClient.delete(clientId);
    this.#options.journal.remove(`will ${clientId}`, (store) => store.dropWill(clientId));
    this.#options.journal.release(will.message);
  }
}
