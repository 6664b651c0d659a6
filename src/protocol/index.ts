/**
 * Floor 2. The types that nodes, devices and verifiers exchange, each with its one canonical encoding: transactions,
 * batches, blocks, votes, certificates, receipts, state entries, validator sets, genesis and proofs. Decoders are
 * strict and total: they never throw, and what they accept re-encodes to the same bytes. Nothing here executes, stores
 * or decides.
 */
export * from "./address.ts";
export * from "./batch.ts";
export * from "./block.ts";
export * from "./certificate.ts";
export * from "./codes.ts";
export * from "./epoch-entry.ts";
export * from "./evidence.ts";
export * from "./genesis.ts";
export * from "./genesis-checks.ts";
export * from "./genesis-parameters.ts";
export * from "./governance-entry.ts";
export { type LeaderSchedule, leaderBySlots, leaderCycleOf } from "./leader-schedule.ts";
export * from "./light-client.ts";
export * from "./limits.ts";
export * from "./proof-bundle.ts";
export * from "./receipt.ts";
export { BLOCK_VERSIONS, IS_NEXT_RELEASE, versionsOfRelease } from "./release.ts";
export * from "./snapshot.ts";
export * from "./state-entry.ts";
export * from "./state-proof.ts";
export * from "./transaction.ts";
export * from "./transaction-body.ts";
export * from "./validator-entry.ts";
export * from "./validator-set.ts";
export * from "./verify-proof.ts";
export * from "./vote.ts";
