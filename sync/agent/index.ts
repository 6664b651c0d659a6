/**
 * The edge's side of event sync: brings every lane of the node's event log to an aggregator, in order, and knows by
 * signed acknowledgements what it holds.
 *
 * Invariants: the event log is the queue, nothing is kept twice; nothing counts as held but what a witness signed; two
 * histories of a lane are told and never overwritten; the link is tried for ever and given up when it does not answer.
 * Never holds up a commit, never decides what the node does, never sends a secret.
 */

export { EitherCarrier } from "./either-carrier.ts";
export { type Bundle, readBundle, writeBundle, writeWhole } from "./enrolment/bundle.ts";
export {
  ENROLMENT_FILES,
  type EnrolledAs,
  type EnrolmentFault,
  type EnrolmentPlan,
  type EnrolmentSurroundings,
  enrol,
} from "./enrolment/enrol.ts";
export { askForCertificate } from "./enrolment/exchange.ts";
export { CertificateRenewal, type RenewalParts } from "./enrolment/renewal.ts";
export { ESCROW_TIMES, EscrowDepositor, type EscrowDepositorParts } from "./escrow/depositor.ts";
export { EscrowHandover, type EscrowHandoverParts, HANDOVER_TIMES } from "./escrow/handover.ts";
export { ESCROW_BOUNDS, recordsOfParcel } from "./escrow/judge.ts";
export { EscrowKeeper, type EscrowKeeperParts } from "./escrow/keeper.ts";
/** What escrow asks of the node and its peers. */
export type * from "./escrow/ports.ts";
export { EscrowTable } from "./escrow/table.ts";
export * from "./ports.ts";
export { PostCarrier, SYNC_MEDIA_TYPE } from "./post-carrier.ts";
export { type LaneStatus, SyncAgent, type SyncAgentParts, type SyncStatus } from "./service.ts";
export { AckTable, SYNC_APPLICATION_ID, SYNC_MIGRATION, SYNC_MIGRATIONS, SYNC_PAGE_BYTES } from "./store.ts";
/** A place in a lane, and what an aggregator's cursor says of it. */
export type { CursorVerdict, Place } from "./types.ts";
export { type TlsClient, WebSocketCarrier } from "./web-socket-carrier.ts";
