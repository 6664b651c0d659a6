/** Parts that the table of events is cut into. Fixed: moving records between parts would be a migration of its own. */
const EVENT_PARTS = 16;

/**
 * Tables of the PostgreSQL store, forward only: each entry raises the format by one, in one transaction.
 *
 * Events are partitioned by a hash of the node. Every read and the primary key begin with the node, so each touches one
 * part; a key over time ranges could not keep (node, lane, epoch, sequence) unique, for which reason events are no
 * TimescaleDB hypertable either; and no record is let go for its age, which is what ranges of time are good at. Text that
 * is ordered by is compared by code point, as SQLite does.
 */
export const POSTGRES_MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE node (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, network text COLLATE "C" NOT NULL, node text COLLATE "C" NOT NULL,
       identity_key bytea NOT NULL, validator_key bytea, software text NOT NULL, profile text NOT NULL, site text NOT NULL,
       status text NOT NULL, enrolled_at_ms bigint NOT NULL, last_hello_at_ms bigint NOT NULL, UNIQUE (network, node))`,
    // An epoch of 0 is a lane of which nothing is held: a row to lock before the first record comes.
    `CREATE TABLE holding (node_id bigint NOT NULL REFERENCES node (id), lane bigint NOT NULL, epoch bigint NOT NULL,
       sequence bigint NOT NULL, hash bytea NOT NULL, peaks bytea, checkpointed bigint NOT NULL, PRIMARY KEY (node_id, lane))`,
    `CREATE TABLE event (node_id bigint NOT NULL, lane bigint NOT NULL, epoch bigint NOT NULL, sequence bigint NOT NULL,
       body bytea NOT NULL, hash bytea NOT NULL, received_at_ms bigint NOT NULL, PRIMARY KEY (node_id, lane, epoch, sequence))
       PARTITION BY HASH (node_id)`,
    ...Array.from(
      { length: EVENT_PARTS },
      (_, part) => `CREATE TABLE event_${part} PARTITION OF event FOR VALUES WITH (MODULUS ${EVENT_PARTS}, REMAINDER ${part})`,
    ),
    `CREATE TABLE checkpoint (node_id bigint NOT NULL, lane bigint NOT NULL, epoch bigint NOT NULL, size bigint NOT NULL,
       note text NOT NULL, PRIMARY KEY (node_id, lane, epoch, size))`,
    "CREATE TABLE latest_heartbeat (node_id bigint PRIMARY KEY, received_at_ms bigint NOT NULL, time_ms bigint NOT NULL, message bytea NOT NULL)",
    `CREATE TABLE heartbeat (node_id bigint NOT NULL, received_at_ms bigint NOT NULL, time_ms bigint NOT NULL, message bytea NOT NULL,
       PRIMARY KEY (node_id, received_at_ms))`,
    "CREATE INDEX heartbeat_time ON heartbeat (received_at_ms)",
    `CREATE TABLE finding (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, network text NOT NULL, node text NOT NULL,
       at_ms bigint NOT NULL, kind text NOT NULL, lane text, epoch bigint, sequence bigint, detail text NOT NULL)`,
    "CREATE INDEX finding_node ON finding (network, node, id)",
    `CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at_ms bigint NOT NULL, actor text NOT NULL,
       action text NOT NULL, target text NOT NULL, outcome text NOT NULL, detail text NOT NULL)`,
  ],
  [
    `CREATE TABLE claim (id text PRIMARY KEY, token_hash bytea NOT NULL UNIQUE, network text NOT NULL, node text, site text NOT NULL,
       approval text NOT NULL, made_by text NOT NULL, made_at_ms bigint NOT NULL, expires_at_ms bigint NOT NULL, status text NOT NULL)`,
    `CREATE TABLE enrolment_request (id text PRIMARY KEY, claim_id text NOT NULL UNIQUE REFERENCES claim (id), network text NOT NULL,
       node text NOT NULL, identity_key bytea NOT NULL, csr bytea NOT NULL, site text NOT NULL, address text NOT NULL,
       requested_at_ms bigint NOT NULL, status text NOT NULL, decided_by text NOT NULL)`,
    "CREATE INDEX enrolment_request_status ON enrolment_request (status, requested_at_ms)",
    `CREATE TABLE certificate (serial text PRIMARY KEY, request_id text NOT NULL UNIQUE, network text NOT NULL, node text NOT NULL,
       pem text NOT NULL, not_after_ms bigint NOT NULL, issued_at_ms bigint NOT NULL, status text NOT NULL)`,
    "CREATE INDEX certificate_node ON certificate (network, node, issued_at_ms)",
    `CREATE TABLE revocation (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, network text NOT NULL, node text NOT NULL,
       at_ms bigint NOT NULL)`,
    "CREATE INDEX revocation_time ON revocation (at_ms)",
  ],
  [
    `CREATE TABLE forwarded (bus text NOT NULL, node_id bigint NOT NULL, lane bigint NOT NULL, epoch bigint NOT NULL,
       sequence bigint NOT NULL, PRIMARY KEY (bus, node_id, lane))`,
    "CREATE TABLE forwarder (bus text PRIMARY KEY, holder text NOT NULL, until_ms bigint NOT NULL)",
  ],
  [
    "CREATE TABLE console_login (key text PRIMARY KEY, name text NOT NULL, password_mark text NOT NULL, expires_at_ms bigint NOT NULL)",
    "CREATE INDEX console_login_time ON console_login (expires_at_ms)",
  ],
  [
    "ALTER TABLE node ADD COLUMN event_quota_bytes bigint, ADD COLUMN object_quota_bytes bigint",
    "ALTER TABLE holding ADD COLUMN bytes bigint NOT NULL DEFAULT 0",
    // What was there before is estimated: to add it up would take longer than a statement may.
    "UPDATE holding SET bytes = sequence * 256",
    'CREATE TABLE object_count (prefix text COLLATE "C" PRIMARY KEY, bytes bigint NOT NULL, counted_at_ms bigint NOT NULL)',
  ],
];
