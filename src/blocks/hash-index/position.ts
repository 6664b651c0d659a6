import { assert } from "../../kernel/index.ts";

/**
 * What a hash stands for on the chain: the executed transaction at `index` among the receipts of a block, or the block
 * itself.
 */
export type ChainPosition = { readonly height: number; readonly index: number };

/** Index that means the block itself; receipts have 0..4095. */
export const BLOCK_ITSELF = 4_096;

const INDEX_SPAN = 8_192;
const HEIGHT_MAX = 2 ** 35 - 1;

/** A position as one integer below 2^48. */
export function packPosition({ height, index }: ChainPosition): number {
  assert(height >= 0 && height <= HEIGHT_MAX && index >= 0 && index <= BLOCK_ITSELF, "a position fits 48 bits");
  return height * INDEX_SPAN + index;
}

/** Reads what `packPosition` writes. */
export function unpackPosition(packed: number): ChainPosition {
  return { height: Math.floor(packed / INDEX_SPAN), index: packed % INDEX_SPAN };
}
