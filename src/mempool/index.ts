/**
 * Floor 4. Takes transactions from clients and devices, makes them durable in batches, and offers the batches to blocks.
 *
 * Invariants: a transaction is answered `accepted` only after the sync of the log record that holds it returned, and then
 * ends `final`, `expired` or `superseded`, whatever is pulled or crashes; a refused one changes nothing; an account's
 * transactions go into batches in nonce order; after a failed sync nothing more is answered; every table has a bound.
 *
 * Admission, cheapest first: size and decoding; pending already (accepted again) or executed (duplicate); the ledger's
 * checks; quotas per account and source; the pool's bounds; the signature. The stateful part is repeated once the
 * signature is known to be good, for only a verified transaction takes a nonce, funds or a quota.
 *
 * Its only file is the batch log (docs/adr/mempool-log.md). It never executes, never orders blocks, never prunes
 * unless told to, and keeps nothing of what is final: that is in the blocks.
 */
export * from "./bounds.ts";
/** What a committed block did with each transaction. */
export type { BlockOutcome } from "./commit.ts";
export * from "./dissemination/index.ts";
export * from "./metrics.ts";
/** What a mempool stands on. */
export type { MempoolParts } from "./parts.ts";
export * from "./service.ts";
export * from "./types.ts";
