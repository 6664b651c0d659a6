import { bytesEqual, err, ok, type Result, type Timers } from "../../../src/kernel/index.ts";
import {
  type AggregatorStore,
  type Appendage,
  type AppendOutcome,
  type EnrolledNode,
  type ForwardStep,
  type NodeRef,
  type StoredHeartbeat,
  StoreUnavailable,
} from "../types.ts";
import { appendWithin } from "./postgres-append.ts";
import { keepableText, PostgresConnections } from "./postgres-connection.ts";
import { PostgresEnrolment } from "./postgres-enrolment.ts";
import { bringForward } from "./postgres-format.ts";
import { moveWithin } from "./postgres-forward.ts";
import { type HeartbeatRow, heartbeatOfRow } from "./rows.ts";
import { HISTORY_EVERY_MS, SqlStore } from "./sql-store.ts";

/** Everything an aggregator keeps, in a PostgreSQL database: any number of processes on one, each takes any node. */
export class PostgresStore extends SqlStore implements AggregatorStore {
  readonly kind = "postgresql";
  readonly enrolment: PostgresEnrolment;
  readonly #connections: PostgresConnections;

  private constructor(connections: PostgresConnections) {
    super(connections);
    this.#connections = connections;
    this.enrolment = new PostgresEnrolment(connections);
  }

  /**
   * Connects, and brings the tables forward.
   *
   * @param url postgres://user:password@host:port/database
   */
  static async open(url: string, timers: Timers): Promise<Result<PostgresStore, { readonly detail: string }>> {
    const connections = new PostgresConnections(url, timers);
    try {
      const format = await bringForward(connections);
      if (format.ok) return ok(new PostgresStore(connections));
      await connections.close();
      return format;
    } catch (error) {
      await connections.close();
      if (!(error instanceof StoreUnavailable)) throw error;
      return err({ detail: `the PostgreSQL database cannot be used: ${error.message}` });
    }
  }

  async putNode(node: EnrolledNode): Promise<"stored" | "otherIdentity" | "revoked"> {
    const { network, node: name, identityKey, validatorKey, software, profile, site, status, enrolledAtMs, lastHelloAtMs } = node;
    const rows = await this.#connections.query(
      `INSERT INTO node (network, node, identity_key, validator_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::bigint, $10::bigint) ON CONFLICT (network, node) DO UPDATE SET
       validator_key = excluded.validator_key, software = excluded.software, profile = excluded.profile, site = excluded.site,
       status = excluded.status, last_hello_at_ms = excluded.last_hello_at_ms WHERE node.identity_key = excluded.identity_key AND node.status <> 'revoked' RETURNING id`,
      [network, name, identityKey, validatorKey ?? null, software, profile, site, status, enrolledAtMs, lastHelloAtMs],
    );
    if (rows.length > 0) return "stored";
    const known = await this.findNode(node);
    return known && !bytesEqual(known.identityKey, identityKey) ? "otherIdentity" : "revoked";
  }

  async append(appendages: readonly Appendage[]): Promise<readonly AppendOutcome[]> {
    const placed = await Promise.all(appendages.map(async (appendage) => ({ id: await this.ids.find(appendage.ref), appendage })));
    return this.#connections.atomically((query) => appendWithin(query, placed));
  }

  async putHeartbeat(heartbeat: StoredHeartbeat): Promise<void> {
    const id = await this.ids.find(heartbeat);
    if (id === undefined) return;
    const { receivedAtMs, timeMs, message } = heartbeat;
    await this.#connections.query(
      `WITH latest AS (INSERT INTO latest_heartbeat AS l (node_id, received_at_ms, time_ms, message) VALUES ($1, $2, $3, $4)
         ON CONFLICT (node_id) DO UPDATE SET received_at_ms = excluded.received_at_ms, time_ms = excluded.time_ms,
         message = excluded.message WHERE l.received_at_ms <= excluded.received_at_ms)
       INSERT INTO heartbeat (node_id, received_at_ms, time_ms, message) SELECT $1, $2, $3, $4
       WHERE NOT EXISTS (SELECT 1 FROM heartbeat WHERE node_id = $1 AND received_at_ms > $2::bigint - ${HISTORY_EVERY_MS}) ON CONFLICT DO NOTHING`,
      [id, receivedAtMs, timeMs, message],
    );
  }

  async latestHeartbeats(refs: readonly NodeRef[]): Promise<readonly StoredHeartbeat[]> {
    type Row = HeartbeatRow & { readonly at: bigint };
    const asked = JSON.stringify(refs.map(({ network, node }, at) => ({ at, network: keepableText(network), node: keepableText(node) })));
    const rows = await this.#connections.query<Row>(
      `SELECT r.at, l.received_at_ms, l.time_ms, l.message FROM json_to_recordset($1::text::json) AS r (at bigint, network text, node text)
       JOIN node n ON n.network = r.network AND n.node = r.node JOIN latest_heartbeat l ON l.node_id = n.id ORDER BY r.at`,
      [asked],
    );
    return rows.flatMap((row) => {
      const ref = refs[Number(row.at)];
      return ref ? [heartbeatOfRow(ref, row)] : [];
    });
  }

  async moveForwarded(bus: string, steps: readonly ForwardStep[]): Promise<readonly ("stored" | "moved")[]> {
    const placed = await Promise.all(steps.map(async (step) => ({ id: await this.ids.find(step.ref), step })));
    return this.#connections.atomically((query) => moveWithin(query, bus, placed));
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }
}
