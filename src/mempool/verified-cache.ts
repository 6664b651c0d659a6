import { assert } from "../kernel/index.ts";

/**
 * Remembers what was found well signed, by SHA-256 of the whole COSE bytes: the id does not cover the signature, so it
 * would let a bad signature pass for a good one. Two generations: when the young one is half the bound, the old one is
 * forgotten, so the newest half is always remembered and no entry costs more than a set insertion.
 */
export class VerifiedCache {
  readonly #generationSize: number;
  #young = new Set<string>();
  #old = new Set<string>();

  /** @param countMax entries at most, at least 2 */
  constructor(countMax: number) {
    assert(countMax >= 2, "a cache of two generations holds at least two entries");
    this.#generationSize = Math.floor(countMax / 2);
  }

  /** Whether these bytes (by digest in hexadecimal) were verified before and not forgotten. */
  has(digest: string): boolean {
    return this.#young.has(digest) || this.#old.has(digest);
  }

  /** Remembers verified bytes by digest. */
  add(digest: string): void {
    this.#young.add(digest);
    if (this.#young.size < this.#generationSize) return;
    this.#old = this.#young;
    this.#young = new Set();
  }

  /** Entries remembered; one that is in both generations counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
