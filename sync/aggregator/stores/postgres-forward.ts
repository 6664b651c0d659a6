import { SYNC_LANE_NUMBER } from "../../protocol/index.ts";
import type { ForwardStep } from "../types.ts";
import type { PostgresQuery } from "./postgres-connection.ts";

/**
 * Notes within a transaction what a bus has: each step is taken only where the lane stands as the step says, in one
 * statement for all, in one order for everybody.
 */
export async function moveWithin(
  query: PostgresQuery,
  bus: string,
  placed: readonly { readonly id: number | undefined; readonly step: ForwardStep }[],
): Promise<readonly ("stored" | "moved")[]> {
  const steps = placed.flatMap(({ id, step: { lane, forwarded, to } }, at) =>
    id === undefined
      ? []
      : [{ at, id, lane: SYNC_LANE_NUMBER[lane], e: forwarded.epoch, s: forwarded.sequence, te: to.epoch, ts: to.sequence }],
  );
  const values = [bus, JSON.stringify(steps)];
  const from = "json_to_recordset($2::text::json) AS t (at bigint, id bigint, lane bigint, e bigint, s bigint, te bigint, ts bigint)";
  await query(
    `INSERT INTO forwarded (bus, node_id, lane, epoch, sequence) SELECT $1, t.id, t.lane, 0, 0 FROM ${from}
     WHERE t.e = 0 ORDER BY t.id, t.lane ON CONFLICT DO NOTHING`,
    values,
  );
  await query(
    `SELECT 1 AS held FROM forwarded WHERE bus = $1 AND (node_id, lane) IN (SELECT t.id, t.lane FROM ${from})
     ORDER BY node_id, lane FOR UPDATE`,
    values,
  );
  const rows = await query<{ readonly at: bigint }>(
    `UPDATE forwarded f SET epoch = t.te, sequence = t.ts FROM ${from}
     WHERE f.bus = $1 AND f.node_id = t.id AND f.lane = t.lane AND f.epoch = t.e AND f.sequence = t.s RETURNING t.at`,
    values,
  );
  const taken = new Set(rows.map(({ at }) => Number(at)));
  return placed.map((_, at) => (taken.has(at) ? "stored" : "moved"));
}
