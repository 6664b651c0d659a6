import { bytesEqual, CborReader, CborWriter } from "../kernel/index.ts";
import { type EpochHop, readEpochHop, writeEpochHop } from "../protocol/index.ts";
import type { Database } from "../storage/index.ts";
import { rowHashOf } from "./block-row.ts";
import type { LanePlace } from "./types.ts";

/**
 * Where the rows of a chain begin whose first blocks are not here. `pruned`: they were let go, and the row at this height is
 * that of a block; `snapshot`: the row is that of a snapshot at which a node that had a chain went on.
 */
export type Horizon = {
  readonly height: number;
  readonly kind: "pruned" | "snapshot";
  /** Hash of the row that the row at this height follows. */
  readonly previousHash: Uint8Array;
  /** The place that its first record of the chain lane follows, so that the lane stays provable from here on. */
  readonly laneBefore: LanePlace;
  /** Lowest record of the batch log that was needed when the rows below went. */
  readonly replayMark: number;
};

const KINDS = ["pruned", "snapshot"] as const;

/** The tables of the format's second version: one row that says where the chain begins, and a row for each epoch hop kept. */
export function createHorizonTables(database: Database): void {
  database.run("CREATE TABLE horizon (id INTEGER PRIMARY KEY CHECK (id = 0), hash BLOB NOT NULL, body BLOB NOT NULL) STRICT");
  database.run("CREATE TABLE hop (epoch INTEGER PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT");
}

type Row = { readonly hash: Uint8Array; readonly body: Uint8Array };

/**
 * What a chain keeps of blocks that it let go: where it begins, and what proves each later epoch from genesis. Written inside
 * the atomic step that removes the rows; each row proves itself.
 */
export class HorizonStore {
  readonly #database: Database;
  readonly #select;
  readonly #put;
  readonly #selectHop;
  readonly #putHop;
  readonly #dropHops;

  constructor(database: Database) {
    this.#database = database;
    this.#select = database.prepare<Row, []>("SELECT hash, body FROM horizon");
    this.#put = database.prepare<never, [Uint8Array, Uint8Array]>("INSERT OR REPLACE INTO horizon (id, hash, body) VALUES (0, ?, ?)");
    this.#selectHop = database.prepare<Row, [number]>("SELECT hash, body FROM hop WHERE epoch = ?");
    this.#putHop = database.prepare<never, [number, Uint8Array, Uint8Array]>(
      "INSERT OR REPLACE INTO hop (epoch, hash, body) VALUES (?, ?, ?)",
    );
    this.#dropHops = database.prepare<never, []>("DELETE FROM hop");
  }

  /** Where the chain begins; undefined when nothing was let go, `"damaged"` when the row is not what was written. */
  find(chainId: Uint8Array): Horizon | "damaged" | undefined {
    const row = this.#database.attempt(() => this.#select.get());
    if (!row) return undefined;
    const horizon = decodeHorizon(row.body);
    return horizon && bytesEqual(row.hash, rowHashOf(0, chainId, row.body)) ? horizon : "damaged";
  }

  /** The step into an epoch; undefined when it is not kept here, `"damaged"` when the row is not what was written. */
  findHop(chainId: Uint8Array, epoch: number): EpochHop | "damaged" | undefined {
    const row = this.#database.attempt(() => this.#selectHop.get(epoch));
    if (!row) return undefined;
    if (!bytesEqual(row.hash, rowHashOf(epoch, chainId, row.body))) return "damaged";
    const r = new CborReader(row.body);
    const hop = readEpochHop(r);
    return hop && r.isComplete ? hop : "damaged";
  }

  /** Says where the chain begins from now on. Inside an atomic step. */
  put(chainId: Uint8Array, horizon: Horizon): void {
    const body = encodeHorizon(horizon);
    this.#put.run(rowHashOf(0, chainId, body), body);
  }

  /** Keeps the steps into these epochs. Inside an atomic step. */
  putHops(chainId: Uint8Array, hops: ReadonlyMap<number, EpochHop>): void {
    for (const [epoch, hop] of hops) {
      const w = new CborWriter(1_024);
      writeEpochHop(w, hop);
      const body = w.finish();
      this.#putHop.run(epoch, rowHashOf(epoch, chainId, body), body);
    }
  }

  /** Lets go of all steps: those of a snapshot are in its row. Inside an atomic step. */
  dropHops(): void {
    this.#dropHops.run();
  }
}

/** Array [height, kind, previous row's hash, [epoch, sequence, hash] of the lane, replay mark]. */
function encodeHorizon({ height, kind, previousHash, laneBefore, replayMark }: Horizon): Uint8Array {
  const w = new CborWriter(128).array(5).uint(height).uint(KINDS.indexOf(kind)).bytes(previousHash);
  w.array(3).uint(laneBefore.epoch).uint(laneBefore.sequence).bytes(laneBefore.hash);
  return w.uint(replayMark).finish();
}

function decodeHorizon(body: Uint8Array): Horizon | undefined {
  const r = new CborReader(body);
  if (r.array(5) !== 5) r.reject();
  const height = r.uint();
  const kind = KINDS[r.uint(KINDS.length - 1)];
  const previousHash = r.bytes(32);
  if (r.array(3) !== 3) r.reject();
  const laneBefore = { epoch: r.uint(), sequence: r.uint(), hash: r.bytes(32) };
  const replayMark = r.uint();
  return r.isComplete && kind && height > 1 ? { height, kind, previousHash, laneBefore, replayMark } : undefined;
}
