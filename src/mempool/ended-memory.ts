import type { EndedStatus } from "./types.ts";

/** Remembers the accepted transactions that ended without executing, up to a bound; the oldest is forgotten first. */
export class EndedMemory {
  readonly #countMax: number;
  readonly #statuses = new Map<string, EndedStatus>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Remembers an end; a later one of the same id replaces it. */
  add(id: string, status: EndedStatus): void {
    this.#statuses.delete(id);
    this.#statuses.set(id, status);
    if (this.#statuses.size <= this.#countMax) return;
    const oldest = this.#statuses.keys().next().value;
    if (oldest !== undefined) this.#statuses.delete(oldest);
  }

  /** Forgets an id, e.g. one that was accepted again. */
  remove(id: string): void {
    this.#statuses.delete(id);
  }

  /** How it ended, or undefined when unknown or forgotten. */
  find(id: string): EndedStatus | undefined {
    return this.#statuses.get(id);
  }

  /** Remembered ids, oldest first, with how they ended. */
  entries(): IterableIterator<[string, EndedStatus]> {
    return this.#statuses.entries();
  }

  /** Ids remembered. */
  get size(): number {
    return this.#statuses.size;
  }
}
