import { assert, type Timers, toHex } from "../kernel/index.ts";
import type { TransactionQueries, Unsubscribe } from "./ports.ts";

/** A place among the waits; `isOver` resolves when the transaction ended, the time is up or the gateway shuts down. */
export type SettlementWait = { readonly isOver: Promise<void>; readonly end: () => void };

/**
 * Requests that wait for transactions to reach an end, woken by the subscription and never by asking again. Bounded: a
 * full house refuses.
 */
export class SettlementWaits {
  readonly #timers: Timers;
  readonly #waitsMax: number;
  readonly #unsubscribe: Unsubscribe;
  readonly #waiting = new Map<string, Set<() => void>>();
  #count = 0;
  #isClosed = false;

  constructor(transactions: TransactionQueries, timers: Timers, waitsMax: number) {
    this.#timers = timers;
    this.#waitsMax = waitsMax;
    this.#unsubscribe = transactions.subscribeSettled((ids) => this.#onSettled(ids));
  }

  /** Requests waiting now. */
  get count(): number {
    return this.#count;
  }

  /**
   * Begins to wait; the caller looks the status up *after* this, so that an end in between is not missed, and calls
   * `end` in any case. Undefined when too many wait already.
   */
  begin(id: Uint8Array, timeoutMs: number): SettlementWait | undefined {
    if (this.#count >= this.#waitsMax || this.#isClosed) return undefined;
    const key = toHex(id);
    const { promise: isOver, resolve } = Promise.withResolvers<void>();
    const cancel = this.#timers.after(timeoutMs, () => end());
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, waiting);
    const end = (): void => {
      if (!waiting.delete(end)) return;
      if (waiting.size === 0) this.#waiting.delete(key);
      this.#count -= 1;
      cancel();
      resolve();
    };
    waiting.add(end);
    this.#count += 1;
    assert(this.#count <= this.#waitsMax, "waits stay within their bound");
    return { isOver, end };
  }

  /** Ends every wait and takes no more. */
  close(): void {
    this.#isClosed = true;
    this.#unsubscribe();
    for (const waiting of [...this.#waiting.values()]) for (const end of [...waiting]) end();
    assert(this.#count === 0, "a closed house is empty");
  }

  #onSettled(ids: readonly Uint8Array[]): void {
    if (this.#waiting.size === 0) return;
    for (const id of ids) for (const end of [...(this.#waiting.get(toHex(id)) ?? [])]) end();
  }
}
