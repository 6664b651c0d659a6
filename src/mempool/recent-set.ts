import { assert } from "../kernel/index.ts";

/** Remembers the latest strings up to a bound; the oldest is forgotten first. */
export class RecentSet {
  readonly #countMax: number;
  readonly #items = new Set<string>();

  /** @param countMax entries at most, at least 1 */
  constructor(countMax: number) {
    assert(countMax >= 1, "a memory holds at least one entry");
    this.#countMax = countMax;
  }

  /** Whether it is remembered. */
  has(item: string): boolean {
    return this.#items.has(item);
  }

  /** Remembers an item as the latest. */
  add(item: string): void {
    this.#items.delete(item);
    this.#items.add(item);
    if (this.#items.size <= this.#countMax) return;
    const oldest = this.#items.values().next().value;
    if (oldest !== undefined) this.#items.delete(oldest);
  }

  /** Items remembered. */
  get size(): number {
    return this.#items.size;
  }
}
