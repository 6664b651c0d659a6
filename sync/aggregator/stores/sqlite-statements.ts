import type { Database } from "../../../src/storage/index.ts";
import type { AuditRow, EventRow, FindingRow, HeartbeatRow, HoldingRow, LoginRow, NodeRow, WaitingRow } from "./rows.ts";

/** The statements of the SQLite store, compiled once. */
export function prepareStatements(database: Database) {
  const node =
    "SELECT id, network, node, identity_key, validator_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms FROM node";
  const event = "SELECT epoch, sequence, body, hash, received_at_ms FROM event WHERE node_id = ? AND lane = ?";
  const finding = "SELECT network, node, at_ms, kind, lane, epoch, sequence, detail FROM finding";
  const heartbeat = "SELECT received_at_ms, time_ms, message FROM";
  type Text = string | null;
  type Count = number | null;
  return {
    selectNode: database.prepare<NodeRow, [string, string]>(`${node} WHERE network = ? AND node = ?`),
    listNodes: database.prepare<NodeRow, [string, string, number]>(`${node} WHERE (network, node) > (?, ?) ORDER BY network, node LIMIT ?`),
    putNode: database.prepare<never, [string, string, Uint8Array, Uint8Array | null, string, string, string, string, number, number]>(
      `INSERT INTO node (network, node, identity_key, validator_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, node) DO UPDATE SET validator_key = excluded.validator_key,
       software = excluded.software, profile = excluded.profile, site = excluded.site, status = excluded.status,
       last_hello_at_ms = excluded.last_hello_at_ms`,
    ),
    selectHoldings: database.prepare<HoldingRow, [number]>(
      "SELECT lane, epoch, sequence, hash, peaks, checkpointed FROM holding WHERE node_id = ?",
    ),
    putHolding: database.prepare<never, [number, number, number, number, Uint8Array, Uint8Array | null, number]>(
      "INSERT OR REPLACE INTO holding (node_id, lane, epoch, sequence, hash, peaks, checkpointed) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    insertEvent: database.prepare<never, [number, number, number, number, Uint8Array, Uint8Array, number]>(
      "INSERT INTO event (node_id, lane, epoch, sequence, body, hash, received_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    selectAfter: database.prepare<EventRow, [number, number, number, number, number]>(
      `${event} AND (epoch, sequence) > (?, ?) ORDER BY epoch, sequence LIMIT ?`,
    ),
    selectBefore: database.prepare<EventRow, [number, number, number, number, number]>(
      `${event} AND (epoch, sequence) < (?, ?) ORDER BY epoch DESC, sequence DESC LIMIT ?`,
    ),
    selectHash: database.prepare<{ readonly hash: Uint8Array }, [number, number, number, number]>(
      "SELECT hash FROM event WHERE node_id = ? AND lane = ? AND epoch = ? AND sequence = ?",
    ),
    putCheckpoint: database.prepare<never, [number, number, number, number, string]>(
      "INSERT OR REPLACE INTO checkpoint (node_id, lane, epoch, size, note) VALUES (?, ?, ?, ?, ?)",
    ),
    selectCheckpoint: database.prepare<{ readonly size: bigint; readonly note: string }, [number, number, number, number]>(
      "SELECT size, note FROM checkpoint WHERE node_id = ? AND lane = ? AND epoch = ? AND size >= ? ORDER BY size DESC LIMIT 1",
    ),
    putLatest: database.prepare<never, [number, number, number, Uint8Array]>(
      "INSERT OR REPLACE INTO latest_heartbeat (node_id, received_at_ms, time_ms, message) VALUES (?, ?, ?, ?)",
    ),
    selectLatest: database.prepare<HeartbeatRow, [number]>(`${heartbeat} latest_heartbeat WHERE node_id = ?`),
    putHistory: database.prepare<never, [number, number, number, Uint8Array]>(
      "INSERT OR REPLACE INTO heartbeat (node_id, received_at_ms, time_ms, message) VALUES (?, ?, ?, ?)",
    ),
    selectLastHistory: database.prepare<HeartbeatRow, [number]>(
      `${heartbeat} heartbeat WHERE node_id = ? ORDER BY received_at_ms DESC LIMIT 1`,
    ),
    selectHistory: database.prepare<HeartbeatRow, [number, number, number]>(
      `${heartbeat} heartbeat WHERE node_id = ? AND received_at_ms >= ? ORDER BY received_at_ms LIMIT ?`,
    ),
    pruneHistory: database.prepare<never, [number]>("DELETE FROM heartbeat WHERE received_at_ms < ?"),
    selectWaiting: database.prepare<WaitingRow, [string, string, string, number, number]>(
      `SELECT n.network, n.node, h.lane, coalesce(f.epoch, 0) AS epoch, coalesce(f.sequence, 0) AS sequence
       FROM node n JOIN holding h ON h.node_id = n.id LEFT JOIN forwarded f ON f.bus = ? AND f.node_id = h.node_id AND f.lane = h.lane
       WHERE (n.network, n.node, h.lane) > (?, ?, ?) AND (h.epoch, h.sequence) > (coalesce(f.epoch, 0), coalesce(f.sequence, 0))
       ORDER BY n.network, n.node, h.lane LIMIT ?`,
    ),
    selectForwarded: database.prepare<{ readonly epoch: bigint; readonly sequence: bigint }, [string, number, number]>(
      "SELECT epoch, sequence FROM forwarded WHERE bus = ? AND node_id = ? AND lane = ?",
    ),
    putForwarded: database.prepare<never, [string, number, number, number, number]>(
      "INSERT OR REPLACE INTO forwarded (bus, node_id, lane, epoch, sequence) VALUES (?, ?, ?, ?, ?)",
    ),
    putForwarder: database.prepare<never, [string, string, number, number]>(
      `INSERT INTO forwarder (bus, holder, until_ms) VALUES (?, ?, ?) ON CONFLICT (bus) DO UPDATE
       SET holder = excluded.holder, until_ms = excluded.until_ms WHERE holder = excluded.holder OR until_ms <= ?`,
    ),
    putFinding: database.prepare<never, [string, string, number, string, Text, Count, Count, string]>(
      "INSERT INTO finding (network, node, at_ms, kind, lane, epoch, sequence, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    allFindings: database.prepare<FindingRow, [number]>(`${finding} ORDER BY id DESC LIMIT ?`),
    findingsOf: database.prepare<FindingRow, [string, string, number]>(
      `${finding} WHERE network = ? AND node = ? ORDER BY id DESC LIMIT ?`,
    ),
    putAudit: database.prepare<never, [number, string, string, string, string, string]>(
      "INSERT INTO audit (at_ms, actor, action, target, outcome, detail) VALUES (?, ?, ?, ?, ?, ?)",
    ),
    putLogin: database.prepare<never, [string, string, string, number]>(
      "INSERT OR REPLACE INTO console_login (key, name, password_mark, expires_at_ms) VALUES (?, ?, ?, ?)",
    ),
    selectLogin: database.prepare<LoginRow, [string]>("SELECT key, name, password_mark, expires_at_ms FROM console_login WHERE key = ?"),
    endLogin: database.prepare<never, [string]>("DELETE FROM console_login WHERE key = ?"),
    pruneLogins: database.prepare<never, [number, number]>(
      `DELETE FROM console_login WHERE expires_at_ms <= ? OR key IN
       (SELECT key FROM console_login ORDER BY expires_at_ms DESC, key LIMIT -1 OFFSET ?)`,
    ),
    selectAudit: database.prepare<AuditRow, [number, number]>(
      "SELECT at_ms, actor, action, target, outcome, detail FROM audit WHERE at_ms < ? ORDER BY id DESC LIMIT ?",
    ),
  };
}
