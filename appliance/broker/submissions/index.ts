/**
 * Transactions over MQTT: what a device publishes to `bizra/v1/{net}/tx/{device}/submit` is handed to the node and
 * acknowledged when it is durable, then answered by receipts.
 *
 * Invariants: success is acknowledged only for what the desk calls durable; each item of a submission has one outcome; a
 * transaction that was acknowledged has its last receipt sent once to each address that asked, as long as the process
 * lives; every table and wait is bounded and says no in words a device can act on. Never decodes a transaction, never
 * decides about one, never speaks on a topic that is not the device's own.
 */
export type { Ending, ItemOutcome, SubmissionGroup, TransactionDesk } from "./ports.ts";
export { type SubmissionLimits, type SubmissionOptions, Submissions } from "./submissions.ts";
