import { bytesEqual, err, ok, type Result, type Timers } from "../../../src/kernel/index.ts";
import { SYNC_LANE_NUMBER, type SyncLane } from "../../protocol/index.ts";
import {
  type AggregatorStore,
  type Appendage,
  type AuditEntry,
  type EnrolledNode,
  type EventPlace,
  type Finding,
  type ForwardStep,
  type LaneHolding,
  type NodeRef,
  type StoredEvent,
  type StoredHeartbeat,
  type StoredLogin,
  StoreUnavailable,
  type WaitingLane,
} from "../types.ts";
import { appendWithin } from "./postgres-append.ts";
import { keepableText, PostgresConnections } from "./postgres-connection.ts";
import { PostgresEnrolment } from "./postgres-enrolment.ts";
import { bringForward } from "./postgres-format.ts";
import { moveWithin } from "./postgres-forward.ts";
import {
  type AuditRow,
  auditOfRow,
  type EventRow,
  eventOfRow,
  type FindingRow,
  findingOfRow,
  type HeartbeatRow,
  type HoldingRow,
  heartbeatOfRow,
  holdingOfRow,
  type LoginRow,
  loginOfRow,
  type NodeRow,
  nodeOfRow,
  type WaitingRow,
  waitingOfRow,
} from "./rows.ts";

/** Heartbeats of a node in its history are at least this far apart. */
const HISTORY_EVERY_MS = 60_000;
/** Row ids that are remembered. */
const IDS_MAX = 100_000;

const EVENT = "SELECT epoch, sequence, body, hash, received_at_ms FROM event WHERE node_id = $1 AND lane = $2";

/** Everything an aggregator keeps, in a PostgreSQL database: any number of processes on one, each takes any node. */
export class PostgresStore implements AggregatorStore {
  readonly kind = "postgresql";
  readonly enrolment: PostgresEnrolment;
  readonly #connections: PostgresConnections;
  /** Row ids of nodes, which never change. */
  readonly #ids = new Map<string, number>();

  private constructor(connections: PostgresConnections) {
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

  async findNode({ network, node }: NodeRef): Promise<EnrolledNode | undefined> {
    const values = [keepableText(network), keepableText(node)];
    const rows = await this.#connections.query<NodeRow>("SELECT * FROM node WHERE network = $1 AND node = $2", values);
    return rows.map(nodeOfRow)[0];
  }

  async putNode(node: EnrolledNode): Promise<"stored" | "otherIdentity" | "revoked"> {
    const { network, node: name, identityKey, validatorKey, software, profile, site, status, enrolledAtMs, lastHelloAtMs } = node;
    const rows = await this.#connections.query(
      `INSERT INTO node (network, node, identity_key, validator_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::bigint, $10::bigint) ON CONFLICT (network, node) DO UPDATE SET
       validator_key = excluded.validator_key, software = excluded.software, profile = excluded.profile, site = excluded.site,
       status = excluded.status, last_hello_at_ms = excluded.last_hello_at_ms WHERE node.identity_key = excluded.identity_key AND node.status <> 'revoked' RETURNING id`,
      [
        network,
        name,
        identityKey,
        validatorKey ?? null,
        keepableText(software),
        profile,
        keepableText(site),
        status,
        enrolledAtMs,
        lastHelloAtMs,
      ],
    );
    if (rows.length > 0) return "stored";
    const known = await this.findNode(node);
    return known && !bytesEqual(known.identityKey, identityKey) ? "otherIdentity" : "revoked";
  }

  async listNodes(after: NodeRef | undefined, limit: number): Promise<readonly EnrolledNode[]> {
    const { network, node } = after ?? { network: "", node: "" };
    const text = "SELECT * FROM node WHERE (network, node) > ($1, $2) ORDER BY network, node LIMIT $3::bigint";
    return (await this.#connections.query<NodeRow>(text, [keepableText(network), keepableText(node), limit])).map(nodeOfRow);
  }

  async holdings(ref: NodeRef): Promise<readonly LaneHolding[]> {
    const id = await this.#findId(ref);
    if (id === undefined) return [];
    const text =
      "SELECT lane, epoch, sequence, hash, peaks, checkpointed FROM holding WHERE node_id = $1::bigint AND epoch > 0 ORDER BY lane";
    return (await this.#connections.query<HoldingRow>(text, [id])).map(holdingOfRow);
  }

  async append(appendages: readonly Appendage[]): Promise<readonly ("stored" | "moved")[]> {
    const placed = await Promise.all(appendages.map(async (appendage) => ({ id: await this.#findId(appendage.ref), appendage })));
    return this.#connections.atomically((query) => appendWithin(query, placed));
  }

  async readEvents(ref: NodeRef, lane: SyncLane, after: EventPlace, limit: number): Promise<readonly StoredEvent[]> {
    return this.#readEvents(ref, lane, after, limit, "AND (epoch, sequence) > ($3, $4) ORDER BY epoch, sequence LIMIT $5");
  }

  async readEventsBefore(ref: NodeRef, lane: SyncLane, before: EventPlace, limit: number): Promise<readonly StoredEvent[]> {
    return this.#readEvents(ref, lane, before, limit, "AND (epoch, sequence) < ($3, $4) ORDER BY epoch DESC, sequence DESC LIMIT $5");
  }

  async findHash(ref: NodeRef, lane: SyncLane, { epoch, sequence }: EventPlace): Promise<Uint8Array | undefined> {
    const id = await this.#findId(ref);
    if (id === undefined) return undefined;
    const text = `${EVENT} AND epoch = $3 AND sequence = $4`;
    const rows = await this.#connections.query<EventRow>(text, [id, SYNC_LANE_NUMBER[lane], epoch, sequence]);
    return rows[0]?.hash;
  }

  async findCheckpoint(
    ref: NodeRef,
    lane: SyncLane,
    { epoch, sequence }: EventPlace,
  ): Promise<{ readonly size: number; readonly note: string } | undefined> {
    const id = await this.#findId(ref);
    if (id === undefined) return undefined;
    const rows = await this.#connections.query<{ readonly size: bigint; readonly note: string }>(
      `SELECT size, note FROM checkpoint WHERE node_id = $1 AND lane = $2 AND epoch = $3 AND size >= $4 ORDER BY size DESC LIMIT 1`,
      [id, SYNC_LANE_NUMBER[lane], epoch, sequence],
    );
    return rows.map(({ size, note }) => ({ size: Number(size), note }))[0];
  }

  async putHeartbeat(heartbeat: StoredHeartbeat): Promise<void> {
    const id = await this.#findId(heartbeat);
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

  async heartbeatHistory(ref: NodeRef, sinceMs: number, limit: number): Promise<readonly StoredHeartbeat[]> {
    const id = await this.#findId(ref);
    if (id === undefined) return [];
    const rows = await this.#connections.query<HeartbeatRow>(
      "SELECT received_at_ms, time_ms, message FROM heartbeat WHERE node_id = $1 AND received_at_ms >= $2 ORDER BY received_at_ms LIMIT $3",
      [id, sinceMs, limit],
    );
    return rows.map((row) => heartbeatOfRow(ref, row));
  }

  async lanesToForward(bus: string, after: Omit<WaitingLane, "forwarded"> | undefined, limit: number): Promise<readonly WaitingLane[]> {
    const { network, node } = after?.ref ?? { network: "", node: "" };
    const rows = await this.#connections.query<WaitingRow>(
      `SELECT n.network, n.node, h.lane, coalesce(f.epoch, 0) AS epoch, coalesce(f.sequence, 0) AS sequence
       FROM node n JOIN holding h ON h.node_id = n.id LEFT JOIN forwarded f ON f.bus = $1 AND f.node_id = h.node_id AND f.lane = h.lane
       WHERE (n.network, n.node, h.lane) > ($2, $3, $4::bigint) AND (h.epoch, h.sequence) > (coalesce(f.epoch, 0), coalesce(f.sequence, 0))
       ORDER BY n.network, n.node, h.lane LIMIT $5::bigint`,
      [bus, network, node, after ? SYNC_LANE_NUMBER[after.lane] : 0, limit],
    );
    return rows.map(waitingOfRow);
  }

  async moveForwarded(bus: string, steps: readonly ForwardStep[]): Promise<readonly ("stored" | "moved")[]> {
    const placed = await Promise.all(steps.map(async (step) => ({ id: await this.#findId(step.ref), step })));
    return this.#connections.atomically((query) => moveWithin(query, bus, placed));
  }

  async leaseForwarding(bus: string, holder: string, nowMs: number, untilMs: number): Promise<boolean> {
    const rows = await this.#connections.query(
      `INSERT INTO forwarder AS f (bus, holder, until_ms) VALUES ($1, $2, $3) ON CONFLICT (bus) DO UPDATE
       SET holder = excluded.holder, until_ms = excluded.until_ms WHERE f.holder = excluded.holder OR f.until_ms <= $4 RETURNING bus`,
      [bus, holder, untilMs, nowMs],
    );
    return rows.length > 0;
  }

  async addFinding(finding: Finding): Promise<void> {
    const { network, node, atMs, kind, lane, epoch, sequence, detail } = finding;
    await this.#connections.query(
      "INSERT INTO finding (network, node, at_ms, kind, lane, epoch, sequence, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
      [network, node, atMs, kind, lane ?? null, epoch ?? null, sequence ?? null, keepableText(detail)],
    );
  }

  async listFindings(ref: NodeRef | undefined, limit: number): Promise<readonly Finding[]> {
    const connections = this.#connections;
    const rows = ref
      ? await connections.query<FindingRow>("SELECT * FROM finding WHERE network = $1 AND node = $2 ORDER BY id DESC LIMIT $3", [
          keepableText(ref.network),
          keepableText(ref.node),
          limit,
        ])
      : await connections.query<FindingRow>("SELECT * FROM finding ORDER BY id DESC LIMIT $1", [limit]);
    return rows.map(findingOfRow);
  }

  async addAudit({ atMs, actor, action, target, outcome, detail }: AuditEntry): Promise<void> {
    const words = [actor, action, target, outcome, detail].map(keepableText);
    await this.#connections.query("INSERT INTO audit (at_ms, actor, action, target, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6)", [
      atMs,
      ...words,
    ]);
  }

  async listAudit(beforeMs: number, limit: number): Promise<readonly AuditEntry[]> {
    const text = "SELECT * FROM audit WHERE at_ms < $1 ORDER BY id DESC LIMIT $2";
    return (await this.#connections.query<AuditRow>(text, [beforeMs, limit])).map(auditOfRow);
  }

  async putLogin({ key, name, passwordMark, expiresAtMs }: StoredLogin, nowMs: number, countMax: number): Promise<void> {
    await this.#connections.atomically(async (query) => {
      await query("INSERT INTO console_login (key, name, password_mark, expires_at_ms) VALUES ($1, $2, $3, $4)", [
        key,
        keepableText(name),
        passwordMark,
        expiresAtMs,
      ]);
      await query(
        `DELETE FROM console_login WHERE expires_at_ms <= $1 OR key IN
         (SELECT key FROM console_login ORDER BY expires_at_ms DESC, key OFFSET $2::bigint)`,
        [nowMs, countMax],
      );
    });
  }

  async findLogin(key: string): Promise<StoredLogin | undefined> {
    return (await this.#connections.query<LoginRow>("SELECT * FROM console_login WHERE key = $1", [key])).map(loginOfRow)[0];
  }

  async endLogin(key: string): Promise<void> {
    await this.#connections.query("DELETE FROM console_login WHERE key = $1", [key]);
  }

  async pruneHeartbeats(beforeMs: number): Promise<void> {
    await this.#connections.query("DELETE FROM heartbeat WHERE received_at_ms < $1", [beforeMs]);
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #readEvents(ref: NodeRef, lane: SyncLane, place: EventPlace, limit: number, rest: string): Promise<readonly StoredEvent[]> {
    const id = await this.#findId(ref);
    if (id === undefined) return [];
    const values = [id, SYNC_LANE_NUMBER[lane], place.epoch, place.sequence, limit];
    return (await this.#connections.query<EventRow>(`${EVENT} ${rest}`, values)).map((row) => eventOfRow(lane, row));
  }

  async #findId({ network, node }: NodeRef): Promise<number | undefined> {
    const key = `${network}/${node}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const values = [keepableText(network), keepableText(node)];
    const rows = await this.#connections.query<NodeRow>("SELECT id FROM node WHERE network = $1 AND node = $2", values);
    const id = rows[0] && Number(rows[0].id);
    if (this.#ids.size >= IDS_MAX) this.#ids.clear();
    if (id !== undefined) this.#ids.set(key, id);
    return id;
  }
}
