import { concatBytes } from "../../../src/kernel/index.ts";
import { SYNC_LANE_NUMBER } from "../../protocol/index.ts";
import { appendageBytes, laneLimitBytes } from "../quota.ts";
import type { Appendage, AppendOutcome, StoredEvent } from "../types.ts";
import { encodePeaks } from "./peaks.ts";
import { keepableText, numberList, type PostgresQuery } from "./postgres-connection.ts";

/** An appendage with its node's row id; undefined for a node that is not there. */
export type PlacedAppendage = { readonly id: number | undefined; readonly appendage: Appendage };

type Place = { readonly epoch: number; readonly sequence: number };
type Taken = { readonly id: number; readonly lane: number; readonly appendage: Appendage; readonly bytes: number };
/** What a node's records take, and what an administrator allows it. */
type Room = { used: number; readonly quota: number | undefined };

/**
 * Adds records within a transaction. The rows of the lanes are locked in one order by everybody, so writers wait for one
 * another and never in a circle; then each appendage is compared with what is held by now. All that is taken goes out in
 * three statements, its bodies as one value that the server cuts up: a value for each record would cost more than the
 * records.
 */
export async function appendWithin(query: PostgresQuery, placed: readonly PlacedAppendage[]): Promise<readonly AppendOutcome[]> {
  const held = await lockLanes(query, placed);
  const rooms = await readRooms(query, placed);
  const taken: Taken[] = [];
  const outcomes = placed.map(({ id, appendage }): AppendOutcome => {
    const lane = SYNC_LANE_NUMBER[appendage.after.lane];
    const now = held.get(`${id}/${lane}`) ?? NOTHING;
    const { epoch, sequence } = appendage.before ?? NOTHING;
    if (id === undefined || now.epoch !== epoch || now.sequence !== sequence) return "moved";
    const bytes = appendageBytes(appendage);
    const room = rooms.get(id);
    const { quotaBytes } = appendage;
    if (room && quotaBytes !== undefined && room.used + bytes > laneLimitBytes(appendage.after.lane, room.quota ?? quotaBytes))
      return "full";
    if (room) room.used += bytes;
    held.set(`${id}/${lane}`, appendage.after);
    taken.push({ id, lane, appendage, bytes });
    return "stored";
  });
  if (taken.length === 0) return outcomes;
  await insertEvents(query, taken);
  await putHoldings(query, taken);
  await putCheckpoints(query, taken);
  return outcomes;
}

const NOTHING: Place = { epoch: 0, sequence: 0 };

async function lockLanes(query: PostgresQuery, placed: readonly PlacedAppendage[]): Promise<Map<string, Place>> {
  const lanes = placed.flatMap(({ id, appendage }) =>
    id === undefined ? [] : [{ id, lane: SYNC_LANE_NUMBER[appendage.after.lane], appendage }],
  );
  const keys = (from: typeof lanes) => [numberList(from.map(({ id }) => id)), numberList(from.map(({ lane }) => lane))];
  const fresh = lanes.filter(({ appendage }) => appendage.before === undefined);
  if (fresh.length > 0) {
    await query(
      `INSERT INTO holding (node_id, lane, epoch, sequence, hash, checkpointed)
       SELECT DISTINCT i, l, 0, 0, ''::bytea, 0 FROM unnest($1::bigint[], $2::bigint[]) AS k (i, l) ORDER BY i, l ON CONFLICT DO NOTHING`,
      keys(fresh),
    );
  }
  const rows = await query<{ readonly node_id: bigint; readonly lane: bigint; readonly epoch: bigint; readonly sequence: bigint }>(
    `SELECT node_id, lane, epoch, sequence FROM holding
     WHERE (node_id, lane) IN (SELECT * FROM unnest($1::bigint[], $2::bigint[])) ORDER BY node_id, lane FOR UPDATE`,
    keys(lanes),
  );
  return new Map(rows.map((row) => [`${row.node_id}/${row.lane}`, { epoch: Number(row.epoch), sequence: Number(row.sequence) }] as const));
}

/** Read after the lanes are locked, so that what others added to these lanes is in it. Nothing is read where no quota is asked for. */
async function readRooms(query: PostgresQuery, placed: readonly PlacedAppendage[]): Promise<Map<number, Room>> {
  const ids = placed.flatMap(({ id, appendage: { quotaBytes } }) => (id === undefined || quotaBytes === undefined ? [] : [id]));
  if (ids.length === 0) return new Map();
  const rows = await query<{ readonly id: bigint; readonly quota: bigint | null; readonly used: bigint }>(
    `SELECT n.id, n.event_quota_bytes AS quota, (SELECT coalesce(sum(h.bytes), 0)::bigint FROM holding h WHERE h.node_id = n.id) AS used
     FROM node n WHERE n.id = ANY ($1::bigint[])`,
    [numberList([...new Set(ids)])],
  );
  return new Map(
    rows.map(({ id, quota, used }) => [Number(id), { used: Number(used), quota: quota === null ? undefined : Number(quota) }]),
  );
}

async function insertEvents(query: PostgresQuery, taken: readonly Taken[]): Promise<void> {
  const events = taken.flatMap(({ id, lane, appendage }) => appendage.events.map((event) => ({ id, lane, event })));
  if (events.length === 0) return;
  const numbers = (of: (event: StoredEvent) => number) => numberList(events.map(({ event }) => of(event)));
  let end = 0;
  const starts = numberList(
    events.map(({ event }) => {
      const start = end + 1; // the server counts bytes from 1
      end += event.body.length;
      return start;
    }),
  );
  await query(
    `INSERT INTO event (node_id, lane, epoch, sequence, received_at_ms, body, hash)
     SELECT i, l, e, s, r, substring($6::bytea FROM at::int FOR size::int), substring($7::bytea FROM (32 * (nth - 1) + 1)::int FOR 32)
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $8::bigint[], $9::bigint[])
     WITH ORDINALITY AS t (i, l, e, s, r, at, size, nth)`,
    [
      numberList(events.map(({ id }) => id)),
      numberList(events.map(({ lane }) => lane)),
      numbers((event) => event.epoch),
      numbers((event) => event.sequence),
      numbers((event) => event.receivedAtMs),
      concatBytes(...events.map(({ event }) => event.body)),
      concatBytes(...events.map(({ event }) => event.hash)),
      starts,
      numbers((event) => event.body.length),
    ],
  );
}

/** The last word on each lane: it may be in one step more than once. */
async function putHoldings(query: PostgresQuery, taken: readonly Taken[]): Promise<void> {
  const last = [...new Map(taken.map((step) => [`${step.id}/${step.lane}`, step])).values()];
  const added = new Map<string, number>();
  for (const { id, lane, bytes } of taken) added.set(`${id}/${lane}`, (added.get(`${id}/${lane}`) ?? 0) + bytes);
  const trees = last.map(({ appendage: { after } }) => (after.peaks ? encodePeaks(after.peaks) : new Uint8Array(0)));
  let end = 0;
  const starts = trees.map((tree) => {
    const start = end + 1;
    end += tree.length;
    return start;
  });
  await query(
    `UPDATE holding SET epoch = e, sequence = s, checkpointed = c, hash = substring($6::bytea FROM (32 * (nth - 1) + 1)::int FOR 32),
       peaks = CASE WHEN size = 0 THEN NULL ELSE substring($7::bytea FROM at::int FOR size::int) END, bytes = bytes + more
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
     WITH ORDINALITY AS t (i, l, e, s, c, at, size, more, nth) WHERE node_id = i AND lane = l`,
    [
      numberList(last.map(({ id }) => id)),
      numberList(last.map(({ lane }) => lane)),
      numberList(last.map(({ appendage: { after } }) => after.epoch)),
      numberList(last.map(({ appendage: { after } }) => after.sequence)),
      numberList(last.map(({ appendage: { after } }) => after.checkpointed)),
      concatBytes(...last.map(({ appendage: { after } }) => after.hash)),
      concatBytes(...trees),
      numberList(starts),
      numberList(trees.map((tree) => tree.length)),
      numberList(last.map(({ id, lane }) => added.get(`${id}/${lane}`) ?? 0)),
    ],
  );
}

async function putCheckpoints(query: PostgresQuery, taken: readonly Taken[]): Promise<void> {
  const notes = taken.flatMap(({ id, lane, appendage: { after, checkpoint } }) =>
    checkpoint ? [{ id, lane, epoch: after.epoch, size: checkpoint.size, note: keepableText(checkpoint.note) }] : [],
  );
  if (notes.length === 0) return;
  // The newest of equal keys, since one statement may not change a row twice.
  await query(
    `INSERT INTO checkpoint (node_id, lane, epoch, size, note)
     SELECT DISTINCT ON (id, lane, epoch, size) id, lane, epoch, size, note
     FROM json_to_recordset($1::text::json) AS t (id bigint, lane bigint, epoch bigint, size bigint, note text)
     ON CONFLICT (node_id, lane, epoch, size) DO UPDATE SET note = excluded.note`,
    [JSON.stringify(notes)],
  );
}
