/** The same rows put into a table of the same shape by the shortest way, without any question: what storing alone costs. */
import { Database } from "bun:sqlite";
import { SYNC_LANE_NUMBER, type SyncLane } from "../../sync/protocol/index.ts";

/** A row of the table of events. */
export type PlainRow = {
  readonly node: number;
  readonly lane: SyncLane;
  readonly epoch: number;
  readonly sequence: number;
  readonly body: Uint8Array;
  readonly hash: Uint8Array;
  readonly receivedAtMs: number;
};

/** Rows in one commit. */
const TOGETHER = 8_000;
/** Rows in one statement of PostgreSQL: values of a statement are at most 65,535. */
const STATEMENT_ROWS = 1_000;
const COLUMNS = 7;

/** SQLite with a write-ahead log, synced at each commit; one prepared statement. */
export function insertIntoSqlite(path: string, rows: readonly PlainRow[]): void {
  const database = new Database(path, { create: true, strict: true });
  database.run("PRAGMA journal_mode = WAL");
  database.run("PRAGMA synchronous = FULL");
  database.run(
    `CREATE TABLE event (node_id INTEGER, lane INTEGER, epoch INTEGER, sequence INTEGER, body BLOB NOT NULL, hash BLOB NOT NULL,
     received_at_ms INTEGER NOT NULL, PRIMARY KEY (node_id, lane, epoch, sequence)) STRICT, WITHOUT ROWID`,
  );
  const insert = database.prepare("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)");
  const commit = database.transaction((part: readonly PlainRow[]) => {
    for (const row of part) insert.run(...valuesOf(row));
  });
  for (let at = 0; at < rows.length; at += TOGETHER) commit(rows.slice(at, at + TOGETHER));
  database.close();
}

/** PostgreSQL, one connection, multi-row inserts, synced at each commit; the table is made before the clock runs. */
export async function insertIntoPostgresql<T>(
  url: string,
  rows: readonly PlainRow[],
  timed: (action: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const sql = new Bun.SQL(url, { max: 1 });
  await sql.unsafe(
    `CREATE TABLE event (node_id bigint, lane bigint, epoch bigint, sequence bigint, body bytea NOT NULL, hash bytea NOT NULL,
     received_at_ms bigint NOT NULL, PRIMARY KEY (node_id, lane, epoch, sequence))`,
  );
  try {
    return await timed(async () => {
      for (let at = 0; at < rows.length; at += TOGETHER) {
        await sql.begin(async (transaction) => {
          for (let from = at; from < Math.min(at + TOGETHER, rows.length); from += STATEMENT_ROWS) {
            const part = rows.slice(from, Math.min(from + STATEMENT_ROWS, at + TOGETHER));
            const places = part.map(
              (_, row) => `(${Array.from({ length: COLUMNS }, (_, column) => `$${row * COLUMNS + column + 1}`).join(",")})`,
            );
            await transaction.unsafe(`INSERT INTO event VALUES ${places.join(",")}`, part.flatMap(valuesOf));
          }
        });
      }
    });
  } finally {
    await sql.close();
  }
}

function valuesOf({
  node,
  lane,
  epoch,
  sequence,
  body,
  hash,
  receivedAtMs,
}: PlainRow): [number, number, number, number, Uint8Array, Uint8Array, number] {
  return [node, SYNC_LANE_NUMBER[lane], epoch, sequence, body, hash, receivedAtMs];
}
