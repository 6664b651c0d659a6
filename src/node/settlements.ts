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

  /** A block was committed: what it executed is final. */
  onBlock({ executed }: BlockOutcome): void {
    if (this.#listeners.size > 0) this.tell(executed.map(({ id }) => id));
  }

  /** These ids have ended, and their end can be asked for. */
  tell(ids: readonly Uint8Array[]): void {
    for (const listener of this.#listeners) listener(ids);
  }
}
