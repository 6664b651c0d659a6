import type { BlockOutcome } from "../blocks/index.ts";

/** Listener for ids that reached an end. */
type SettledListener = (ids: readonly Uint8Array[]) => void;

/** Tells who waits for transactions that they have ended. */
export class Settlements {
  readonly #listeners = new Set<SettledListener>();

  /** Subscribes; the function ends it. */
  subscribe(listener: SettledListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** A block was committed: what it executed is final, and what it left out may have expired or been superseded. */
  onBlock({ executed, skipped }: BlockOutcome): void {
    if (this.#listeners.size === 0) return;
    const ids = [...executed, ...skipped].map(({ id }) => id);
    for (const listener of this.#listeners) listener(ids);
  }
}
