/**
 * Keeps what was used last, up to a total weight. The newest entry is kept whatever it weighs, so that asking twice in a
 * row never costs twice.
 */
export class WeightedCache<K, V> {
  readonly #weightMax: number;
  readonly #weigh: (value: V) => number;
  readonly #entries = new Map<K, V>();
  #weight = 0;

  /** @param weigh the weight of a value, in the unit of `weightMax`; the same at every call */
  constructor(weightMax: number, weigh: (value: V) => number) {
    this.#weightMax = weightMax;
    this.#weigh = weigh;
  }

  /** Entries kept. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value under a key, which counts as used now. */
  find(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Keeps a value, letting go of those that were not used for longest. */
  put(key: K, value: V): void {
    this.#remove(key);
    this.#entries.set(key, value);
    this.#weight += this.#weigh(value);
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#weightMax || oldest === key) return;
      this.#remove(oldest);
    }
  }

  #remove(key: K): void {
    const value = this.#entries.get(key);
    if (value === undefined) return;
    this.#entries.delete(key);
    this.#weight -= this.#weigh(value);
  }
}
