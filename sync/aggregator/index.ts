/**
 * The cloud's side: takes in what nodes say, proves it, keeps it, and shows it.
 *
 * Invariants: an acknowledgement is signed only over what is durable; a node's lane is one chain of hashes, computed here
 * again from what came; nothing acknowledged is ever overwritten; status is a node's own signed word and has an age.
 * Never decides anything for a node, never holds a key that signs votes.
 */
export { Aggregator, AggregatorRefused, type AggregatorSetup } from "./aggregator.ts";
export { Forwarder, type ForwarderParts } from "./bus/forwarder.ts";
export { openBus } from "./bus/open-bus.ts";
export { Authority, type AuthorityFault } from "./enrolment/authority.ts";
export { type ClaimPlan, EnrolmentDesk } from "./enrolment/desk.ts";
export { deskRoutes } from "./enrolment/desk-routes.ts";
/** What enrolment is made with. */
export type { EnrolmentSetup } from "./enrolment/enrolment.ts";
/** Claims, requests and certificates, and where they are kept. */
export type { Claim, EnrolmentRequest, EnrolmentStore, IssuedCertificate } from "./enrolment/types.ts";
export { type FleetParts, fleetRoutes } from "./fleet/fleet.ts";
export { noteUserChange, USER_CHANGES_FILE } from "./fleet/user-changes.ts";
export {
  FLEET_PASSWORD,
  FLEET_ROLES,
  type FleetRole,
  type FleetUser,
  makeFleetUser,
  readUsers,
  USERS_FILE,
  type UserBook,
  UserFile,
  writeUsers,
} from "./fleet/users.ts";
export { Ingest, type IngestParts } from "./ingest/ingest.ts";
export { DEFAULT_QUOTA, QUOTA_BYTES, type StorageQuota } from "./quota.ts";
export { AGGREGATOR_APPLICATION_ID, AGGREGATOR_MIGRATIONS, AGGREGATOR_PAGE_BYTES } from "./stores/migrations.ts";
export { PostgresStore } from "./stores/postgres-store.ts";
export { SqliteStore } from "./stores/sqlite-store.ts";
export * from "./types.ts";
