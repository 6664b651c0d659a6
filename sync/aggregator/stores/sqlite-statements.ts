import type { Database } from "../../../src/storage/index.ts";
import type { HeartbeatRow, NodeRow } from "./rows.ts";

type Place = { readonly epoch: bigint; readonly sequence: bigint };

/** The statements that only the SQLite store has, compiled once. */
export function prepareStatements(database: Database) {
  const heartbeat = "SELECT received_at_ms, time_ms, message FROM";
  return {
    selectNode: database.prepare<Pick<NodeRow, "identity_key" | "status">, [string, string]>(
      "SELECT identity_key, status FROM node WHERE network = ? AND node = ?",
    ),
    putNode: database.prepare<never, [string, string, Uint8Array, Uint8Array | null, string, string, string, string, number, number]>(
      `INSERT INTO node (network, node, identity_key, validator_key, software, profile, site, status, enrolled_at_ms, last_hello_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (network, node) DO UPDATE SET validator_key = excluded.validator_key,
       software = excluded.software, profile = excluded.profile, site = excluded.site, status = excluded.status,
       last_hello_at_ms = excluded.last_hello_at_ms`,
    ),
    selectHolding: database.prepare<Place & { readonly bytes: bigint }, [number, number]>(
      "SELECT epoch, sequence, bytes FROM holding WHERE node_id = ? AND lane = ?",
    ),
    putHolding: database.prepare<never, [number, number, number, number, Uint8Array, Uint8Array | null, number, number]>(
      "INSERT OR REPLACE INTO holding (node_id, lane, epoch, sequence, hash, peaks, checkpointed, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    selectRoom: database.prepare<{ readonly quota: bigint | null; readonly used: bigint }, [number]>(
      "SELECT event_quota_bytes AS quota, (SELECT coalesce(sum(bytes), 0) FROM holding WHERE node_id = id) AS used FROM node WHERE id = ?",
    ),
    insertEvent: database.prepare<never, [number, number, number, number, Uint8Array, Uint8Array, number]>(
      "INSERT INTO event (node_id, lane, epoch, sequence, body, hash, received_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    putCheckpoint: database.prepare<never, [number, number, number, number, string]>(
      "INSERT OR REPLACE INTO checkpoint (node_id, lane, epoch, size, note) VALUES (?, ?, ?, ?, ?)",
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
    selectForwarded: database.prepare<Place, [string, number, number]>(
      "SELECT epoch, sequence FROM forwarded WHERE bus = ? AND node_id = ? AND lane = ?",
    ),
    putForwarded: database.prepare<never, [string, number, number, number, number]>(
      "INSERT OR REPLACE INTO forwarded (bus, node_id, lane, epoch, sequence) VALUES (?, ?, ?, ?, ?)",
    ),
  };
}
