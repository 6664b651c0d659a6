import { assert } from "../../kernel/index.ts";
import { type ChainPosition, packPosition } from "./position.ts";
import type { RunEntry } from "./run-file.ts";
import { prefixOf } from "./run-format.ts";

/** Bits that number an entry while a list is sorted: at most a million entries, sixty times what is let to gather. */
const SLOT_BITS = 20;

/** Hashes of the newest blocks and their transactions, in memory until a run holds them. */
export class PendingEntries {
  readonly fromHeight: number;
  #toHeight: number;
  readonly #byHash = new Map<string, number>();
  readonly #prefixes: bigint[] = [];

  /** @param fromHeight the first block that will be added */
  constructor(fromHeight: number) {
    this.fromHeight = fromHeight;
    this.#toHeight = fromHeight - 1;
  }

  /** The last block added; one below `fromHeight` when none was. */
  get toHeight(): number {
    return this.#toHeight;
  }

  /** Hashes held. */
  get size(): number {
    return this.#byHash.size;
  }

  /** Notes that the blocks up to this height were added whole. */
  endBlock(height: number): void {
    assert(height === this.#toHeight + 1, "blocks are indexed in height order");
    this.#toHeight = height;
  }

  /** Counts the blocks below a height as added, with nothing in them. */
  skipBelow(height: number): void {
    assert(height > this.#toHeight, "what was added is not skipped");
    this.#toHeight = height - 1;
  }

  /** Adds a hash; a repeated one keeps its first place. */
  add(hash: Uint8Array, position: ChainPosition): void {
    const key = textOf(hash);
    if (this.#byHash.has(key)) return;
    this.#byHash.set(key, packPosition(position));
    this.#prefixes.push(prefixOf(hash));
  }

  /** The packed position of a hash. */
  find(hash: Uint8Array): number | undefined {
    return this.#byHash.get(textOf(hash));
  }

  /** All entries in ascending order of prefix, then position. Measured: 2 ms for 16,384, where sorting objects takes 15. */
  *sorted(): Generator<RunEntry, void, undefined> {
    assert(this.size <= 1 << SLOT_BITS, "the number of an entry fits beside the prefix's leading bits");
    const mask = (1n << BigInt(SLOT_BITS)) - 1n;
    const order = BigUint64Array.from(this.#prefixes, (prefix, slot) => (prefix & ~mask) | BigInt(slot)).sort();
    const places = Float64Array.from(this.#byHash.values());
    for (let start = 0; start < order.length; ) {
      // Prefixes that are equal but for the bits given up to the number are put in order one by one; they are rare.
      let end = start + 1;
      while (end < order.length && ((order[end] as bigint) & ~mask) === ((order[start] as bigint) & ~mask)) end++;
      const alike = [...order.subarray(start, end)].map((key) => {
        const slot = Number(key & mask);
        return { prefix: this.#prefixes[slot] as bigint, packed: places[slot] as number };
      });
      yield* alike.length === 1 ? alike : alike.sort((a, b) => (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : a.packed - b.packed));
      start = end;
    }
  }
}

/** One character a byte: the cheapest text that tells hashes apart. */
function textOf(hash: Uint8Array): string {
  return Buffer.prototype.latin1Slice.call(hash, 0, hash.length);
}
