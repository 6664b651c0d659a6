/**
 * Blocks: built, judged, executed on overlays, committed and read again.
 *
 * Invariants: a commit is one durable step of chain.db that carries the blocks with what made them final, where their
 * batches stand, what executing them gave, the chain lane's records and the floor; state, index, mempool and listeners
 * follow it in height order and can be rebuilt from it. Each row proves itself and the row before it, so damage is named.
 * What a header says of a block was seen by executing it here.
 *
 * Never votes, never decides what is final, never reads a clock, never keeps a batch's bytes a second time.
 */
export * from "./batch-source.ts";
export { BlockQueries } from "./block-queries.ts";
export { buildChainAnchor } from "./chain-anchor.ts";
export { ChainLaneReader } from "./chain-lane-reader.ts";
export { ChainReader } from "./chain-reader.ts";
export * from "./hash-index/index.ts";
export * from "./ports.ts";
/** What may go, and what has to stay. */
export type { PruneRequest } from "./pruning.ts";
export { buildProofBundle, buildReceiptProof } from "./receipt-proof.ts";
export * from "./service.ts";
export { BlockStore, CHAIN_APPLICATION_ID, CHAIN_MIGRATIONS, CHAIN_PAGE_BYTES } from "./store.ts";
export * from "./types.ts";
