/**
 * Small fast deterministic generator (sfc32) for simulation, tests and jitter. Not for keys or salts.
 *
 * @see https://pracrand.sourceforge.net/RNG_engines.txt
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed an integer; equal seeds give equal sequences */
  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  /** An integer in 0..2^32-1. */
  uint32(): number {
    const out = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + out;
    return out >>> 0;
  }

  /** An integer in 0..bound-1, with negligible bias for bounds far below 2^32. */
  below(bound: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * bound);
  }

  /** Whether an event of this probability (0..1) happens. */
  chance(probability: number): boolean {
    return this.uint32() / 2 ** 32 < probability;
  }

  /** `count` bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.uint32() & 0xff);
  }
}
