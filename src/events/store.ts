import { assert, CborReader, CborWriter, type Log } from "../kernel/index.ts";
import type { Database, Migration } from "../storage/index.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { CheckpointStore, CritStore, LanePage, LaneStore } from "./ports.ts";
import { EMPTY_LANE, type Lane, type LaneCursor, type LaneTip, type StoredRecord } from "./types.ts";

/**
 * Tables of the `crit` lane, for node.db: its records, how far sources in other files have been carried into it, and the
 * last checkpoint of every lane.
 */
export const CRIT_MIGRATION: Migration = (database) => {
  createLane(database, "crit");
  database.run("CREATE TABLE lane_cursor (source TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID");
  database.run(
    "CREATE TABLE lane_checkpoint (lane TEXT PRIMARY KEY, epoch INTEGER NOT NULL, size INTEGER NOT NULL, peaks BLOB NOT NULL, note TEXT NOT NULL) STRICT, WITHOUT ROWID",
  );
};

/** Table of the `ops` lane, for ops.db. */
export const OPS_MIGRATION: Migration = (database) => createLane(database, "ops");

/** Marks a file as an ops.db: "BZop". */
export const OPS_APPLICATION_ID = 0x42_5a_6f_70;

/** Bytes of a page of the files that lanes are kept in: a commit of a few records then touches a few kilobytes. */
export const LANE_PAGE_BYTES = 1_024;

/** Frames of the write-ahead log of node.db at which it is moved into the main file, after checkpoints were put. */
const MOVED_FRAMES = 1_000;

type RecordRow = { readonly epoch: bigint; readonly sequence: bigint; readonly body: Uint8Array; readonly hash: Uint8Array };
type GapRow = { readonly epoch: bigint; readonly through: bigint; readonly hash: Uint8Array };

function createLane(database: Database, lane: "crit" | "ops"): void {
  database.run(
    `CREATE TABLE lane_${lane} (epoch INTEGER, sequence INTEGER, body BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (epoch, sequence)) STRICT, WITHOUT ROWID`,
  );
  database.run(`CREATE TABLE lane_${lane}_gap (epoch INTEGER PRIMARY KEY, through INTEGER NOT NULL, hash BLOB NOT NULL) STRICT`);
}

/** A lane with a table of its own: records in order of place, and where the let-go beginning of an incarnation ends. */
export class LaneTable implements LaneStore {
  protected readonly database: Database;
  readonly #insert;
  readonly #selectLast;
  readonly #selectFirst;
  readonly #selectAfter;
  readonly #selectUpTo;
  readonly #deleteUpTo;
  readonly #selectGap;
  readonly #putGap;
  readonly #pageSpace;

  constructor(database: Database, lane: "crit" | "ops") {
    const columns = `SELECT epoch, sequence, body, hash FROM lane_${lane}`;
    this.database = database;
    this.#insert = database.prepare<never, [number, number, Uint8Array, Uint8Array]>(
      `INSERT INTO lane_${lane} (epoch, sequence, body, hash) VALUES (?, ?, ?, ?)`,
    );
    this.#selectLast = database.prepare<RecordRow, []>(`${columns} ORDER BY epoch DESC, sequence DESC LIMIT 1`);
    this.#selectFirst = database.prepare<RecordRow, []>(`${columns} ORDER BY epoch, sequence LIMIT 1`);
    this.#selectAfter = database.prepare<RecordRow, [number, number, number]>(
      `${columns} WHERE (epoch, sequence) > (?, ?) ORDER BY epoch, sequence LIMIT ?`,
    );
    this.#selectUpTo = database.prepare<RecordRow, [number, number]>(
      `${columns} WHERE (epoch, sequence) <= (?, ?) ORDER BY epoch DESC, sequence DESC LIMIT 1`,
    );
    this.#deleteUpTo = database.prepare<never, [number, number]>(`DELETE FROM lane_${lane} WHERE (epoch, sequence) <= (?, ?)`);
    this.#selectGap = database.prepare<GapRow, []>(`SELECT epoch, through, hash FROM lane_${lane}_gap ORDER BY epoch DESC LIMIT 1`);
    this.#pageSpace = database.prepare<{ pages: bigint; free: bigint; size: bigint }, []>(
      "SELECT page_count AS pages, freelist_count AS free, page_size AS size FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
    );
    this.#putGap = database.prepare<never, [number, number, Uint8Array]>(
      `INSERT OR REPLACE INTO lane_${lane}_gap (epoch, through, hash) VALUES (?, ?, ?)`,
    );
  }

  last(): StoredRecord | undefined {
    const row = this.database.attempt(() => this.#selectLast.get());
    return row ? recordOf(row) : this.#gapTip();
  }

  first(): StoredRecord | undefined {
    const row = this.database.attempt(() => this.#selectFirst.get());
    return row ? recordOf(row) : undefined;
  }

  read(after: LaneCursor, limit: number): LanePage {
    return this.database.attempt(() => {
      const before = this.#selectUpTo.get(after.epoch, after.sequence);
      const records = this.#selectAfter.all(after.epoch, after.sequence, limit).map(recordOf);
      return { previous: before ? tipOfRow(before) : (this.#gapTip() ?? EMPTY_LANE), records };
    });
  }

  append(records: readonly StoredRecord[]): void {
    this.database.atomically(() => this.insert(records));
  }

  release(through: LaneTip, announcement: StoredRecord): void {
    this.database.atomically(() => {
      this.insert([announcement]);
      this.#putGap.run(through.epoch, through.sequence, through.hash);
      this.#deleteUpTo.run(through.epoch, through.sequence);
    });
  }

  usedBytes(): number {
    const row = this.database.attempt(() => this.#pageSpace.get());
    return row ? Number((row.pages - row.free) * row.size) : 0;
  }

  sync(): void {
    this.database.checkpoint();
  }

  /** Adds records inside a commit that is under way. */
  protected insert(records: readonly StoredRecord[]): void {
    for (const { epoch, sequence, body, hash } of records) this.#insert.run(epoch, sequence, body, hash);
  }

  /** The end of what was let go, as a record without content: where a lane stands that holds nothing else. */
  #gapTip(): StoredRecord | undefined {
    const gap = this.database.attempt(() => this.#selectGap.get());
    return gap ? { epoch: Number(gap.epoch), sequence: Number(gap.through), hash: gap.hash, body: NOTHING } : undefined;
  }
}

/** The `crit` lane in node.db. */
export class CritTable extends LaneTable implements CritStore {
  readonly #selectCursor;
  readonly #putCursor;

  constructor(database: Database) {
    super(database, "crit");
    this.#selectCursor = database.prepare<{ position: bigint }, [string]>("SELECT position FROM lane_cursor WHERE source = ?");
    this.#putCursor = database.prepare<never, [string, number]>("INSERT OR REPLACE INTO lane_cursor (source, position) VALUES (?, ?)");
  }

  cursor(source: string): number | undefined {
    const row = this.database.attempt(() => this.#selectCursor.get(source));
    return row ? Number(row.position) : undefined;
  }

  appendFrom(source: string, position: number, record: StoredRecord): void {
    this.database.atomically(() => {
      this.insert([record]);
      this.#putCursor.run(source, position);
    });
  }
}

/** Last checkpoints in node.db. */
export class CheckpointTable implements CheckpointStore {
  readonly #database: Database;
  readonly #log: Log;
  readonly #select;
  readonly #put;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
    this.#select = database.prepare<{ epoch: bigint; size: bigint; peaks: Uint8Array; note: string }, [string]>(
      "SELECT epoch, size, peaks, note FROM lane_checkpoint WHERE lane = ?",
    );
    this.#put = database.prepare<never, [string, number, number, Uint8Array, string]>(
      "INSERT OR REPLACE INTO lane_checkpoint (lane, epoch, size, peaks, note) VALUES (?, ?, ?, ?, ?)",
    );
  }

  find(lane: Lane): Checkpoint | undefined {
    const row = this.#database.attempt(() => this.#select.get(lane));
    if (!row) return undefined;
    const peaks = decodePeaks(row.peaks);
    if (!peaks) this.#log.warn("events.checkpoint.unreadable", { lane });
    return peaks && { lane, epoch: Number(row.epoch), size: Number(row.size), peaks, note: row.note };
  }

  put(checkpoints: readonly Checkpoint[]): void {
    this.#database.atomically(() => {
      for (const { lane, epoch, size, peaks, note } of checkpoints) this.#put.run(lane, epoch, size, encodePeaks(peaks), note);
    });
    if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
  }
}

const NOTHING = new Uint8Array(0);

function recordOf(row: RecordRow): StoredRecord {
  return { epoch: Number(row.epoch), sequence: Number(row.sequence), body: row.body, hash: row.hash };
}

function tipOfRow(row: RecordRow): LaneTip {
  return { epoch: Number(row.epoch), sequence: Number(row.sequence), hash: row.hash };
}

function encodePeaks(peaks: readonly Uint8Array[]): Uint8Array {
  const w = new CborWriter().array(peaks.length);
  for (const peak of peaks) w.bytes(peak);
  return w.finish();
}

function decodePeaks(encoded: Uint8Array): Uint8Array[] | undefined {
  const r = new CborReader(encoded);
  const count = r.array(64);
  const peaks: Uint8Array[] = [];
  for (let i = 0; i < count && !r.isBroken; i++) peaks.push(r.bytes(32));
  assert(peaks.length <= 64, "a tree has at most one peak a bit");
  return r.isComplete ? peaks : undefined;
}
