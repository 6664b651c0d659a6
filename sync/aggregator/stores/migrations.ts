import type { Migration } from "../../../src/storage/index.ts";

/** Marks a file as an aggregator.db: "BZag". */
export const AGGREGATOR_APPLICATION_ID = 0x42_5a_61_67;

/** Bytes of a page of aggregator.db. */
export const AGGREGATOR_PAGE_BYTES = 4_096;

/** Tables of aggregator.db, forward only: each entry raises the format by one. */
export const AGGREGATOR_MIGRATIONS: readonly Migration[] = [
  (database) => {
    for (const statement of FIRST) database.run(statement);
  },
  (database) => {
    for (const statement of ENROLMENT) database.run(statement);
  },
  (database) => {
    for (const statement of FORWARDING) database.run(statement);
  },
  (database) => {
    for (const statement of LOGINS) database.run(statement);
  },
  (database) => {
    for (const statement of QUOTAS) database.run(statement);
  },
];

const FIRST = [
  `CREATE TABLE node (id INTEGER PRIMARY KEY, network TEXT NOT NULL, node TEXT NOT NULL, identity_key BLOB NOT NULL, validator_key BLOB,
     software TEXT NOT NULL, profile TEXT NOT NULL, site TEXT NOT NULL, status TEXT NOT NULL, enrolled_at_ms INTEGER NOT NULL,
     last_hello_at_ms INTEGER NOT NULL, UNIQUE (network, node)) STRICT`,
  `CREATE TABLE holding (node_id INTEGER REFERENCES node (id), lane INTEGER, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
     hash BLOB NOT NULL, peaks BLOB, checkpointed INTEGER NOT NULL, PRIMARY KEY (node_id, lane)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE event (node_id INTEGER, lane INTEGER, epoch INTEGER, sequence INTEGER, body BLOB NOT NULL, hash BLOB NOT NULL,
     received_at_ms INTEGER NOT NULL, PRIMARY KEY (node_id, lane, epoch, sequence)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE checkpoint (node_id INTEGER, lane INTEGER, epoch INTEGER, size INTEGER, note TEXT NOT NULL,
     PRIMARY KEY (node_id, lane, epoch, size)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE latest_heartbeat (node_id INTEGER PRIMARY KEY, received_at_ms INTEGER NOT NULL, time_ms INTEGER NOT NULL, message BLOB NOT NULL) STRICT`,
  `CREATE TABLE heartbeat (node_id INTEGER, received_at_ms INTEGER, time_ms INTEGER NOT NULL, message BLOB NOT NULL,
     PRIMARY KEY (node_id, received_at_ms)) STRICT, WITHOUT ROWID`,
  `CREATE INDEX heartbeat_time ON heartbeat (received_at_ms)`,
  `CREATE TABLE finding (id INTEGER PRIMARY KEY, network TEXT NOT NULL, node TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
     lane TEXT, epoch INTEGER, sequence INTEGER, detail TEXT NOT NULL) STRICT`,
  `CREATE INDEX finding_node ON finding (network, node, id)`,
  `CREATE TABLE audit (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL,
     outcome TEXT NOT NULL, detail TEXT NOT NULL) STRICT`,
] as const;

const ENROLMENT = [
  `CREATE TABLE claim (id TEXT PRIMARY KEY, token_hash BLOB NOT NULL UNIQUE, network TEXT NOT NULL, node TEXT, site TEXT NOT NULL,
     approval TEXT NOT NULL, made_by TEXT NOT NULL, made_at_ms INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL, status TEXT NOT NULL) STRICT`,
  `CREATE TABLE enrolment_request (id TEXT PRIMARY KEY, claim_id TEXT NOT NULL UNIQUE REFERENCES claim (id), network TEXT NOT NULL,
     node TEXT NOT NULL, identity_key BLOB NOT NULL, csr BLOB NOT NULL, site TEXT NOT NULL, address TEXT NOT NULL,
     requested_at_ms INTEGER NOT NULL, status TEXT NOT NULL, decided_by TEXT NOT NULL) STRICT`,
  `CREATE INDEX enrolment_request_status ON enrolment_request (status, requested_at_ms)`,
  `CREATE TABLE certificate (serial TEXT PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, network TEXT NOT NULL, node TEXT NOT NULL,
     pem TEXT NOT NULL, not_after_ms INTEGER NOT NULL, issued_at_ms INTEGER NOT NULL, status TEXT NOT NULL) STRICT`,
  `CREATE INDEX certificate_node ON certificate (network, node, issued_at_ms)`,
  `CREATE TABLE revocation (id INTEGER PRIMARY KEY, network TEXT NOT NULL, node TEXT NOT NULL, at_ms INTEGER NOT NULL) STRICT`,
  `CREATE INDEX revocation_time ON revocation (at_ms)`,
] as const;

const FORWARDING = [
  `CREATE TABLE forwarded (bus TEXT, node_id INTEGER, lane INTEGER, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
     PRIMARY KEY (bus, node_id, lane)) STRICT, WITHOUT ROWID`,
  `CREATE TABLE forwarder (bus TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
] as const;

const LOGINS = [
  `CREATE TABLE console_login (key TEXT PRIMARY KEY, name TEXT NOT NULL, password_mark TEXT NOT NULL, expires_at_ms INTEGER NOT NULL) STRICT`,
  `CREATE INDEX console_login_time ON console_login (expires_at_ms)`,
] as const;

const QUOTAS = [
  `ALTER TABLE node ADD COLUMN event_quota_bytes INTEGER`,
  `ALTER TABLE node ADD COLUMN object_quota_bytes INTEGER`,
  `ALTER TABLE holding ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0`,
  // What was there before is estimated: to add it up would take minutes of a start.
  `UPDATE holding SET bytes = sequence * 256`,
  `CREATE TABLE object_count (prefix TEXT PRIMARY KEY, bytes INTEGER NOT NULL, counted_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
] as const;
