import type { Database, Migration } from "../../src/storage/index.ts";
import { SYNC_LANES } from "../protocol/index.ts";
import { ESCROW_MIGRATION } from "./escrow/table.ts";
import type { AckStore, KeptAck } from "./ports.ts";

/** Marks a file as a sync.db: "BZsy". */
export const SYNC_APPLICATION_ID = 0x42_5a_73_79;

/** Bytes of a page of sync.db: its few rows are written again and again. */
export const SYNC_PAGE_BYTES = 1_024;

/** Frames of the write-ahead log at which it is moved into the main file. */
const MOVED_FRAMES = 1_000;

/** Table of acknowledgements. One row for each aggregator and lane. */
export const SYNC_MIGRATION: Migration = (database) => {
  database.run(
    "CREATE TABLE sync_ack (aggregator TEXT, lane TEXT, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, time_ms INTEGER NOT NULL, witness BLOB NOT NULL, witness_key BLOB NOT NULL, PRIMARY KEY (aggregator, lane)) STRICT, WITHOUT ROWID",
  );
};

/** The formats of sync.db. */
export const SYNC_MIGRATIONS: readonly Migration[] = [SYNC_MIGRATION, ESCROW_MIGRATION];

type AckRow = {
  readonly lane: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly hash: Uint8Array;
  readonly time_ms: bigint;
  readonly witness: Uint8Array;
  readonly witness_key: Uint8Array;
};

/** The last acknowledgement of each lane by each aggregator. */
export class AckTable implements AckStore {
  readonly #database: Database;
  readonly #select;
  readonly #put;

  constructor(database: Database) {
    this.#database = database;
    this.#select = database.prepare<AckRow, [string]>(
      "SELECT lane, epoch, sequence, hash, time_ms, witness, witness_key FROM sync_ack WHERE aggregator = ?",
    );
    this.#put = database.prepare<never, [string, string, number, number, Uint8Array, number, Uint8Array, Uint8Array]>(
      "INSERT OR REPLACE INTO sync_ack (aggregator, lane, epoch, sequence, hash, time_ms, witness, witness_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
  }

  list(aggregator: string): readonly KeptAck[] {
    const rows = this.#database.attempt(() => this.#select.all(aggregator));
    return rows.flatMap((row) => {
      const lane = SYNC_LANES.find((name) => name === row.lane);
      if (lane === undefined) return [];
      const place = { lane, epoch: Number(row.epoch), sequence: Number(row.sequence), hash: row.hash };
      return [{ ...place, timeMs: Number(row.time_ms), witness: row.witness, witnessKey: row.witness_key }];
    });
  }

  put(aggregator: string, ack: KeptAck): void {
    const { lane, epoch, sequence, hash, timeMs, witness, witnessKey } = ack;
    this.#database.atomically(() => this.#put.run(aggregator, lane, epoch, sequence, hash, timeMs, witness, witnessKey));
    if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
  }
}
