import type { Connection } from "@libp2p/interface";
import type { CancelTimer, Timers } from "../kernel/index.ts";

/** Connections to us on which nobody has said hello yet, or who only asks the outside protocols. */
const GUESTS_MAX = 64;

/**
 * Keeps the door open: a guest is shown out after its time, and when too many are there the oldest goes at once, so that
 * connections which say nothing never keep out one that will.
 */
export class Guests {
  readonly #timers: Timers;
  readonly #stayMs: number;
  readonly #isLinked: (connection: Connection) => boolean;
  readonly #waiting = new Map<Connection, CancelTimer>();

  /** @param isLinked whether a connection has become part of a link, which is no guest */
  constructor(timers: Timers, stayMs: number, isLinked: (connection: Connection) => boolean) {
    this.#timers = timers;
    this.#stayMs = stayMs;
    this.#isLinked = isLinked;
  }

  /** Connections that are watched; those that became links are among them until their time. */
  get count(): number {
    return this.#waiting.size;
  }

  /** Watches a new connection to us. */
  admit(connection: Connection): void {
    this.#watch(connection);
    connection.addEventListener("close", () => this.#forget(connection));
    if (this.#waiting.size <= GUESTS_MAX) return;
    for (const waiting of [...this.#waiting.keys()]) {
      const isLinked = this.#isLinked(waiting);
      if (isLinked) this.#forget(waiting);
      else this.#end(waiting);
      if (!isLinked || this.#waiting.size <= GUESTS_MAX) return;
    }
  }

  /** A guest that makes itself useful stays for another while. */
  renew(connection: Connection): void {
    if (this.#waiting.has(connection)) this.#watch(connection);
  }

  #watch(connection: Connection): void {
    this.#forget(connection);
    this.#waiting.set(
      connection,
      this.#timers.after(this.#stayMs, () => this.#end(connection)),
    );
  }

  #end(connection: Connection): void {
    this.#forget(connection);
    if (connection.status === "open" && !this.#isLinked(connection)) connection.abort(new Error("no hello"));
  }

  #forget(connection: Connection): void {
    this.#waiting.get(connection)?.();
    this.#waiting.delete(connection);
  }
}
