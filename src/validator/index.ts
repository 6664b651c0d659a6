/**
 * Floor 4. The validator's own part: the journal of what it voted, the guard that alone holds its key, the custody that
 * says on which machine and in which home that key may sign, and its duties.
 *
 * Invariants: a vote is signed only when exactly it is durable in the journal and contradicts nothing there; a journal
 * that cannot be trusted is never continued and never made by starting a node; after a failed write or sync nothing is
 * signed. Decides nothing about agreement (that is `consensus`), keeps no secret outside the key it is given.
 *
 * @see consensus J1..J8
 */
export type { KeyBinding, VerifyKeySignature } from "./binding.ts";
export * from "./custody.ts";
export { attendanceOf, type Duties, dutiesOf } from "./duties.ts";
export { type Hardware, type HardwareKind, readHardwareParts } from "./hardware.ts";
export * from "./history.ts";
export { ConsensusJournal, type JournalLog, type JournalOptions, type JournalSource } from "./journal.ts";
export { decodeRecord, encodeRecord, type StoredRecord } from "./journal-records.ts";
export { SignedMark, type SignedMarkFiles } from "./signed-mark.ts";
export { createJournal, type JournalFiles, openJournal, recoverJournal } from "./store.ts";
export { type GuardRefusal, VoteGuard, type VoteKey, VoteRefused } from "./vote-guard.ts";
