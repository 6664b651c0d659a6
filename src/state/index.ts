/**
 * Floor 4. The state: every account, device and total after the last finalized block, in memory, committed to by one
 * root; overlays for blocks that are not final; proofs of existence and absence; checkpoints on disk.
 *
 * Invariants: the root is a function of the entries alone; an overlay never changes what it stands on; memory depends on
 * what the state holds, not on the length of the chain; a checkpoint is complete or not there, and every byte of it is
 * covered by a digest. The state is a cache of the chain: losing it costs a re-execution, nothing else.
 *
 * Never decides what a transaction does (ledger), which block is final (consensus) or what is kept of one (blocks).
 */
export type { CheckpointFailure, CheckpointJob, CheckpointMark, CheckpointWriter } from "./checkpoint.ts";
export * from "./checkpoint-policy.ts";
export { CHECKPOINT_RETRY_MS, type CheckpointCounters, type CheckpointParts } from "./checkpointer.ts";
export { InlineCheckpointWriter } from "./inline-writer.ts";
/** Changes on top of a state, not folded in. */
export type { Overlay } from "./overlay.ts";
export * from "./service.ts";
export { SnapshotFile, SnapshotWriter } from "./snapshot-file.ts";
/** What is wrong with a checkpoint. */
export type { CheckpointFault } from "./store.ts";
export { WorkerCheckpointWriter } from "./worker-writer.ts";
