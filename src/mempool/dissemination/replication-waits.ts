import type { CancelTimer, Timers } from "../../kernel/index.ts";

type Wait = { readonly resolve: (isReplicated: boolean) => void; readonly cancel: CancelTimer };

/** Those who wait until a batch is held by enough others, by its digest in hexadecimal. Bounded by the requests being answered. */
export class ReplicationWaits {
  readonly #timers: Timers;
  readonly #waits = new Map<string, Set<Wait>>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Resolves with what `settle` says, or false when it says nothing in time. */
  wait(digestHex: string, withinMs: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waits = this.#waits.get(digestHex) ?? new Set();
    const wait = { resolve, cancel: this.#timers.after(withinMs, () => this.#giveUp(digestHex, wait)) };
    this.#waits.set(digestHex, waits.add(wait));
    return promise;
  }

  /** Answers everyone who waits for a batch. */
  settle(digestHex: string, isReplicated: boolean): void {
    const waits = this.#waits.get(digestHex);
    this.#waits.delete(digestHex);
    for (const { resolve, cancel } of waits ?? []) {
      cancel();
      resolve(isReplicated);
    }
  }

  /** Answers everyone: it is not known. */
  end(): void {
    for (const digestHex of [...this.#waits.keys()]) this.settle(digestHex, false);
  }

  #giveUp(digestHex: string, wait: Wait): void {
    const waits = this.#waits.get(digestHex);
    waits?.delete(wait);
    if (waits?.size === 0) this.#waits.delete(digestHex);
    wait.resolve(false);
  }
}
