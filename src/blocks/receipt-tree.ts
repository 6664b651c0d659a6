import { leafHash, nodeHash } from "../crypto/index.ts";
import { assert } from "../kernel/index.ts";
import { encodeReceipt, type Receipt } from "../protocol/index.ts";

/**
 * The RFC 6962 tree over a block's receipts with all its levels, so that each path after the first costs only the
 * hashes it is made of.
 */
export class ReceiptTree {
  /** Hashes from the leaves up to the root. */
  readonly #levels: (readonly Uint8Array[])[];

  constructor(receipts: readonly Receipt[]) {
    let level: readonly Uint8Array[] = receipts.map((receipt) => leafHash(encodeReceipt(receipt)));
    this.#levels = [level];
    while (level.length > 1) {
      level = levelAbove(level);
      this.#levels.push(level);
    }
  }

  /** Receipts in the tree. */
  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  /** The hashes that lead from the receipt at an index to the root, from the bottom up. */
  path(index: number): Uint8Array[] {
    assert(index >= 0 && index < this.size, "a path starts at a receipt of the block");
    const path: Uint8Array[] = [];
    let at = index;
    for (const level of this.#levels) {
      const sibling = level[at % 2 === 0 ? at + 1 : at - 1];
      if (sibling !== undefined) path.push(sibling);
      at = Math.floor(at / 2);
    }
    return path;
  }
}

/** Pairs hashed; an odd last one is carried up as it is. */
function levelAbove(level: readonly Uint8Array[]): readonly Uint8Array[] {
  const above: Uint8Array[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i] as Uint8Array;
    const right = level[i + 1];
    above.push(right === undefined ? left : nodeHash(left, right));
  }
  return above;
}
