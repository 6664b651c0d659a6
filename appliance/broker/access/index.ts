/**
 * Who may connect to the device broker, and what they may say and hear: names by client certificate, password or token;
 * four roles and grants beyond them; the access file of a home.
 *
 * Invariants: whoever shows a certificate or a login is judged by it and by nothing else; a name that logs in cannot be had
 * by claiming it as a client id; secrets are kept as hashes only; failures from one address are slowed and counted; every
 * table is bounded. Never decides about transactions, never logs a name that was not proven, or a password.
 */
export { markOf, readAccessFile, writeAccessFile } from "./access-file.ts";
export { type AccessList, type AccessUser, parseUser } from "./access-list.ts";
export { CERTIFICATE_ONLY, hashPassword, makeToken, PASSWORD_LENGTH } from "./credentials.ts";
export { type AccessOptions, type Anonymity, DeviceAccess } from "./device-access.ts";
export { isTopic } from "./filter-rules.ts";
export { ROLES, type Role, receiptTopicOf, submitTopicOf, type TopicScope } from "./roles.ts";
