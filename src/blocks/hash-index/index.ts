/**
 * Where a hash stands on the chain: sorted immutable runs with the newest entries in memory. A cache of the chain that
 * is rebuilt when it is missing; it never answers for the chain, its candidates are compared with the block itself.
 */
export * from "./hash-index.ts";
export { BLOCK_ITSELF, type ChainPosition, FIRST_BATCH } from "./position.ts";
