/**
 * Floor 5. The device broker: MQTT 3.1.1 and 5 for the devices around a box.
 *
 * Invariants: an acknowledgement leaves only when what it promises is durable; every queue, table and wait has a bound with a
 * stated policy (docs/broker.md); nothing a client sends throws. It never opens a socket, a file or a timer of its own, never
 * reads a clock but the one it is given, and knows nothing of transactions: doors, access rules and submissions are handed in.
 */
export {
  type AccessList,
  type AccessUser,
  type Anonymity,
  CERTIFICATE_ONLY,
  DeviceAccess,
  hashPassword,
  makeToken,
  markOf,
  PASSWORD_LENGTH,
  parseUser,
  ROLES,
  type Role,
  readAccessFile,
  type TopicScope,
  writeAccessFile,
} from "./access/index.ts";
export { createBroker } from "./broker.ts";
export { DoorCounts, type DoorPlan, type OpenDoors, openDoors, type TlsIdentity } from "./doors/index.ts";
export { type BrokerLimits, DEFAULT_LIMITS } from "./limits.ts";
export { BROKER_DATABASE } from "./store.ts";
export {
  type Ending,
  type ItemOutcome,
  type SubmissionGroup,
  type SubmissionLimits,
  Submissions,
  type TransactionDesk,
} from "./submissions/index.ts";
/** What a broker is made with and tells of. */
export type * from "./types.ts";
