/**
 * The event log: what happened on this box, in three lanes that each are an append-only hash chain.
 *
 * Invariants: a lane lives in the file of the changes it reports and is written in their commit; sequences have no gap
 * but a recorded one; a record's hash covers the one before it, so a lost, exchanged or changed record is named; `crit`
 * and `chain` are never dropped. Checkpoints are signed by the node's identity, never by a validator key.
 *
 * Never decides anything, never holds up a commit, never carries a secret.
 */
export * from "./chain-lane.ts";
export * from "./checkpoint.ts";
export * from "./event-codec.ts";
export * from "./event-log.ts";
export * from "./event-schemas.ts";
export * from "./examine-lane.ts";
export { LaneDamaged } from "./lane-log.ts";
export * from "./ports.ts";
export * from "./record-chain.ts";
export * from "./record-json.ts";
export * from "./signed-note.ts";
export * from "./store.ts";
export * from "./types.ts";
