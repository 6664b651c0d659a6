import { SYNC_LANE_NUMBER, type SyncLane } from "../../protocol/index.ts";
import type {
  AuditEntry,
  EnrolledNode,
  EventPlace,
  Finding,
  LaneHolding,
  NodeQuota,
  NodeRef,
  NodeUsage,
  ObjectCount,
  StoredEvent,
  StoredHeartbeat,
  StoredLogin,
  WaitingLane,
} from "../types.ts";
import * as rows from "./rows.ts";
import { NodeIds, type SqlPort } from "./sql-port.ts";

/** Heartbeats of a node in its history are at least this far apart. */
export const HISTORY_EVERY_MS = 60_000;

/** Findings that are kept of one node: the oldest go. */
export const FINDINGS_OF_NODE_MAX = 250;

const EVENT = "SELECT epoch, sequence, body, hash, received_at_ms FROM event WHERE node_id = $1 AND lane = $2";
const AFTER = `${EVENT} AND (epoch, sequence) > ($3, $4) ORDER BY epoch, sequence LIMIT $5`;
const BEFORE = `${EVENT} AND (epoch, sequence) < ($3, $4) ORDER BY epoch DESC, sequence DESC LIMIT $5`;

/** The part of an aggregator's store that is the same on every database that speaks SQL; the tables are, too. */
export class SqlStore {
  protected readonly sql: SqlPort;
  protected readonly ids: NodeIds;

  constructor(sql: SqlPort) {
    this.sql = sql;
    this.ids = new NodeIds(sql);
  }

  async findNode({ network, node }: NodeRef): Promise<EnrolledNode | undefined> {
    return (await this.sql.read<rows.NodeRow>("SELECT * FROM node WHERE network = $1 AND node = $2", [network, node])).map(
      rows.nodeOfRow,
    )[0];
  }

  async listNodes(after: NodeRef | undefined, limit: number): Promise<readonly EnrolledNode[]> {
    const { network, node } = after ?? { network: "", node: "" };
    const text = "SELECT * FROM node WHERE (network, node) > ($1, $2) ORDER BY network, node LIMIT $3::bigint";
    return (await this.sql.read<rows.NodeRow>(text, [network, node, limit])).map(rows.nodeOfRow);
  }

  async holdings(ref: NodeRef): Promise<readonly LaneHolding[]> {
    const text =
      "SELECT lane, epoch, sequence, hash, peaks, checkpointed FROM holding WHERE node_id = $1::bigint AND epoch > 0 ORDER BY lane";
    return (await this.#ofNode<rows.HoldingRow>(ref, text, [])).map(rows.holdingOfRow);
  }

  async usage(ref: NodeRef): Promise<NodeUsage> {
    const text = "SELECT lane, bytes FROM holding WHERE node_id = $1::bigint AND epoch > 0 ORDER BY lane";
    return { lanes: (await this.#ofNode<{ readonly lane: bigint; readonly bytes: bigint }>(ref, text, [])).map(rows.laneBytesOfRow) };
  }

  async setQuota({ network, node }: NodeRef, { eventBytes, objectBytes }: NodeQuota): Promise<boolean> {
    const text = `UPDATE node SET event_quota_bytes = $3::bigint, object_quota_bytes = $4::bigint
       WHERE network = $1 AND node = $2 RETURNING id`;
    return (await this.sql.change([text, [network, node, eventBytes ?? null, objectBytes ?? null]])).length === 1;
  }

  async countObject(prefix: string, bytes: number, limitBytes: number): Promise<ObjectCount | undefined> {
    const text = `INSERT INTO object_count AS c (prefix, bytes, counted_at_ms) SELECT $1, $2::bigint, 0 WHERE $2::bigint <= $3::bigint
       ON CONFLICT (prefix) DO UPDATE SET bytes = c.bytes + excluded.bytes WHERE c.bytes + excluded.bytes <= $3::bigint
       RETURNING bytes, counted_at_ms`;
    return (await this.sql.change<rows.ObjectCountRow>([text, [prefix, bytes, limitBytes]])).map(rows.objectCountOfRow)[0];
  }

  async findObjectCount(prefix: string): Promise<ObjectCount | undefined> {
    const text = "SELECT bytes, counted_at_ms FROM object_count WHERE prefix = $1";
    return (await this.sql.read<rows.ObjectCountRow>(text, [prefix])).map(rows.objectCountOfRow)[0];
  }

  async beginRecount(prefix: string, sinceMs: number, nowMs: number): Promise<number | undefined> {
    const text = `INSERT INTO object_count AS c (prefix, bytes, counted_at_ms) VALUES ($1, 0, $3::bigint)
       ON CONFLICT (prefix) DO UPDATE SET counted_at_ms = excluded.counted_at_ms WHERE c.counted_at_ms <= $2::bigint OR c.counted_at_ms > $3::bigint
       RETURNING bytes, counted_at_ms`;
    return (await this.sql.change<rows.ObjectCountRow>([text, [prefix, sinceMs, nowMs]])).map(rows.objectCountOfRow)[0]?.bytes;
  }

  async finishRecount(prefix: string, beganAtMs: number, countedBytes: number, foundBytes: number): Promise<void> {
    const text = `UPDATE object_count SET bytes = CASE WHEN bytes + $3::bigint < 0 THEN 0 ELSE bytes + $3::bigint END
       WHERE prefix = $1 AND counted_at_ms = $2::bigint`;
    await this.sql.change([text, [prefix, beganAtMs, foundBytes - countedBytes]]);
  }

  async readEvents(ref: NodeRef, lane: SyncLane, { epoch, sequence }: EventPlace, limit: number): Promise<readonly StoredEvent[]> {
    const values = [SYNC_LANE_NUMBER[lane], epoch, sequence, limit];
    return (await this.#ofNode<rows.EventRow>(ref, AFTER, values)).map((row) => rows.eventOfRow(lane, row));
  }

  async readEventsBefore(ref: NodeRef, lane: SyncLane, { epoch, sequence }: EventPlace, limit: number): Promise<readonly StoredEvent[]> {
    const values = [SYNC_LANE_NUMBER[lane], epoch, sequence, limit];
    return (await this.#ofNode<rows.EventRow>(ref, BEFORE, values)).map((row) => rows.eventOfRow(lane, row));
  }

  async findHash(ref: NodeRef, lane: SyncLane, { epoch, sequence }: EventPlace): Promise<Uint8Array | undefined> {
    const text = "SELECT hash FROM event WHERE node_id = $1 AND lane = $2 AND epoch = $3 AND sequence = $4";
    return (await this.#ofNode<Pick<rows.EventRow, "hash">>(ref, text, [SYNC_LANE_NUMBER[lane], epoch, sequence]))[0]?.hash;
  }

  async findCheckpoint(
    ref: NodeRef,
    lane: SyncLane,
    { epoch, sequence }: EventPlace,
  ): Promise<{ readonly size: number; readonly note: string } | undefined> {
    const text =
      "SELECT size, note FROM checkpoint WHERE node_id = $1 AND lane = $2 AND epoch = $3 AND size >= $4 ORDER BY size DESC LIMIT 1";
    const values = [SYNC_LANE_NUMBER[lane], epoch, sequence];
    const found = await this.#ofNode<{ readonly size: bigint; readonly note: string }>(ref, text, values);
    return found.map(({ size, note }) => ({ size: Number(size), note }))[0];
  }

  async heartbeatHistory(ref: NodeRef, sinceMs: number, limit: number): Promise<readonly StoredHeartbeat[]> {
    const text =
      "SELECT received_at_ms, time_ms, message FROM heartbeat WHERE node_id = $1 AND received_at_ms >= $2 ORDER BY received_at_ms LIMIT $3";
    return (await this.#ofNode<rows.HeartbeatRow>(ref, text, [sinceMs, limit])).map((row) => rows.heartbeatOfRow(ref, row));
  }

  async pruneHeartbeats(beforeMs: number): Promise<void> {
    await this.sql.change(["DELETE FROM heartbeat WHERE received_at_ms < $1", [beforeMs]]);
  }

  async lanesToForward(bus: string, after: Omit<WaitingLane, "forwarded"> | undefined, limit: number): Promise<readonly WaitingLane[]> {
    const { network, node } = after?.ref ?? { network: "", node: "" };
    const waiting = await this.sql.read<rows.WaitingRow>(
      `SELECT n.network, n.node, h.lane, coalesce(f.epoch, 0) AS epoch, coalesce(f.sequence, 0) AS sequence
       FROM node n JOIN holding h ON h.node_id = n.id LEFT JOIN forwarded f ON f.bus = $1 AND f.node_id = h.node_id AND f.lane = h.lane
       WHERE (n.network, n.node, h.lane) > ($2, $3, $4::bigint) AND (h.epoch, h.sequence) > (coalesce(f.epoch, 0), coalesce(f.sequence, 0))
       ORDER BY n.network, n.node, h.lane LIMIT $5::bigint`,
      [bus, network, node, after ? SYNC_LANE_NUMBER[after.lane] : 0, limit],
    );
    return waiting.map(rows.waitingOfRow);
  }

  async leaseForwarding(bus: string, holder: string, nowMs: number, untilMs: number): Promise<boolean> {
    const text = `INSERT INTO forwarder AS f (bus, holder, until_ms) VALUES ($1, $2, $3) ON CONFLICT (bus) DO UPDATE
       SET holder = excluded.holder, until_ms = excluded.until_ms WHERE f.holder = excluded.holder OR f.until_ms <= $4 RETURNING bus`;
    return (await this.sql.change([text, [bus, holder, untilMs, nowMs]])).length > 0;
  }

  async addFinding({ network, node, atMs, kind, lane, epoch, sequence, detail }: Finding): Promise<void> {
    const pruned = `DELETE FROM finding WHERE network = $1 AND node = $2 AND id <=
       (SELECT id FROM finding WHERE network = $1 AND node = $2 ORDER BY id DESC LIMIT 1 OFFSET $3::bigint)`;
    await this.sql.change(
      [
        "INSERT INTO finding (network, node, at_ms, kind, lane, epoch, sequence, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [network, node, atMs, kind, lane ?? null, epoch ?? null, sequence ?? null, detail],
      ],
      [pruned, [network, node, FINDINGS_OF_NODE_MAX]],
    );
  }

  async listFindings(ref: NodeRef | undefined, limit: number): Promise<readonly Finding[]> {
    const found = ref
      ? await this.sql.read<rows.FindingRow>("SELECT * FROM finding WHERE network = $1 AND node = $2 ORDER BY id DESC LIMIT $3", [
          ref.network,
          ref.node,
          limit,
        ])
      : await this.sql.read<rows.FindingRow>("SELECT * FROM finding ORDER BY id DESC LIMIT $1", [limit]);
    return found.map(rows.findingOfRow);
  }

  async addAudit({ atMs, actor, action, target, outcome, detail }: AuditEntry): Promise<void> {
    const text = "INSERT INTO audit (at_ms, actor, action, target, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    await this.sql.change([text, [atMs, actor, action, target, outcome, detail]]);
  }

  async listAudit(beforeMs: number, limit: number): Promise<readonly AuditEntry[]> {
    const text = "SELECT * FROM audit WHERE at_ms < $1 ORDER BY id DESC LIMIT $2";
    return (await this.sql.read<rows.AuditRow>(text, [beforeMs, limit])).map(rows.auditOfRow);
  }

  async pruneAudit(countMax: number): Promise<void> {
    await this.sql.change(["DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - $1::bigint", [countMax]]);
  }

  async putLogin({ key, name, passwordMark, expiresAtMs }: StoredLogin, nowMs: number, countMax: number): Promise<void> {
    const pruned = `DELETE FROM console_login WHERE expires_at_ms <= $1 OR (SELECT count(*) FROM console_login newer
       WHERE (newer.expires_at_ms, newer.key) > (console_login.expires_at_ms, console_login.key)) >= $2::bigint`;
    await this.sql.change(
      [
        "INSERT INTO console_login (key, name, password_mark, expires_at_ms) VALUES ($1, $2, $3, $4)",
        [key, name, passwordMark, expiresAtMs],
      ],
      [pruned, [nowMs, countMax]],
    );
  }

  async findLogin(key: string): Promise<StoredLogin | undefined> {
    return (await this.sql.read<rows.LoginRow>("SELECT * FROM console_login WHERE key = $1", [key])).map(rows.loginOfRow)[0];
  }

  async endLogin(key: string): Promise<void> {
    await this.sql.change(["DELETE FROM console_login WHERE key = $1", [key]]);
  }

  /** Rows of one node, whose id is `$1`; none of a node that is not there. */
  async #ofNode<Row>(ref: NodeRef, text: string, values: readonly number[]): Promise<readonly Row[]> {
    const id = await this.ids.find(ref);
    return id === undefined ? [] : this.sql.read<Row>(text, [id, ...values]);
  }
}
