import { assert } from "../../kernel/index.ts";

/**
 * What a hash stands for on the chain: the executed transaction at `index` among the receipts of a block, the block
 * itself, or one of its batches.
 */
export type ChainPosition = { readonly height: number; readonly index: number };

/** Index that means the block itself; receipts have 0..4095. */
export const BLOCK_ITSELF = 4_096;

/** Index of a block's first batch; the others follow. */
export const FIRST_BATCH = 4_097;

/** One above the highest index. */
const INDEX_SPAN = 8_192;
const HEIGHT_MAX = 2 ** 35 - 1;

/** A position as one integer below 2^48. */
export function packPosition({ height, index }: ChainPosition): number {
  assert(height >= 0 && height <= HEIGHT_MAX && index >= 0 && index < INDEX_SPAN, "a position fits 48 bits");
  return height * INDEX_SPAN + index;
}

/** Reads what `packPosition` writes. */
export function unpackPosition(packed: number): ChainPosition {
  return { height: Math.floor(packed / INDEX_SPAN), index: packed % INDEX_SPAN };
}
