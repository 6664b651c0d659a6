import { assert, bytesEqual } from "../kernel/index.ts";
import type { EpochHop, SnapshotManifest } from "../protocol/index.ts";
import type { Database, Migration } from "../storage/index.ts";
import {
  decodeBaseRow,
  decodeBlockRow,
  decodeGenesisRow,
  encodeBaseRow,
  encodeBlockRow,
  encodeGenesisRow,
  rowHashOf,
} from "./block-row.ts";
import { createHorizonTables, type Horizon, HorizonStore } from "./horizon-store.ts";
import { ChainDamaged, type CommittedBlock, type CommittedGenesis, type LanePlace, type LaneRecords } from "./types.ts";

/** Marks a file as a chain.db: "BZch". */
export const CHAIN_APPLICATION_ID = 0x42_5a_63_68;

/**
 * Bytes of a page. Rows are appended a few hundred bytes at a time, and each commit writes the pages it touched: an empty
 * block of one validator takes 2.5 KB so, 4.4 KB with pages of 1,024 bytes and 6.2 KB with 4,096 (main file included).
 */
export const CHAIN_PAGE_BYTES = 512;

/** Frames of the write-ahead log, of about a page each, at which it is moved into the main file. */
const CHECKPOINT_FRAMES = 4_000;

/** Format of chain.db, one step a version. */
export const CHAIN_MIGRATIONS: readonly Migration[] = [
  (database) => database.run("CREATE TABLE block (height INTEGER PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL) STRICT"),
  createHorizonTables,
];

type Row = { readonly height: bigint; readonly hash: Uint8Array; readonly body: Uint8Array };

/** A row whose hash was checked against the row before it. */
type CheckedRow = { readonly height: number; readonly hash: Uint8Array; readonly body: Uint8Array };

/**
 * The chain as rows, one a height, appended in order and never changed. A row holds everything its commit had to make
 * durable, and a hash over its content and the hash of the row before: a lost, exchanged or flipped row is found when it
 * or its successor is read.
 */
export class BlockStore {
  readonly #database: Database;
  readonly #insert;
  readonly #select;
  readonly #selectHash;
  readonly #selectFrom;
  readonly #selectTip;
  readonly #deleteBelow;
  readonly #horizons: HorizonStore;
  #horizon: Horizon | undefined;
  #baseHeight = 0;
  #tipHeight: number | undefined;
  #tipHash: Uint8Array = new Uint8Array(32);

  /** @param database opened with CHAIN_APPLICATION_ID and CHAIN_MIGRATIONS, durability `full` */
  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare<never, [number, Uint8Array, Uint8Array]>("INSERT INTO block (height, hash, body) VALUES (?, ?, ?)");
    this.#select = database.prepare<Row, [number]>("SELECT height, hash, body FROM block WHERE height = ?");
    this.#selectHash = database.prepare<Pick<Row, "hash">, [number]>("SELECT hash FROM block WHERE height = ?");
    this.#selectFrom = database.prepare<Row, [number, number]>(
      "SELECT height, hash, body FROM block WHERE height >= ? ORDER BY height LIMIT ?",
    );
    this.#selectTip = database.prepare<Pick<Row, "height" | "hash">, []>("SELECT height, hash FROM block ORDER BY height DESC LIMIT 1");
    this.#deleteBelow = database.prepare<never, [number]>("DELETE FROM block WHERE height >= 1 AND height < ?");
    this.#horizons = new HorizonStore(database);
    const tip = database.attempt(() => this.#selectTip.get());
    if (tip) this.#setTip(Number(tip.height), tip.hash);
    const lowest = database.attempt(() => this.#selectFrom.all(1, 1))[0];
    if (lowest && Number(lowest.height) > 1) this.#baseHeight = Number(lowest.height);
    if (this.#baseHeight > 0) this.#horizon = this.#openHorizon(this.#baseHeight);
  }

  /** Name of the file, for messages. */
  get file(): string {
    return this.#database.path.slice(this.#database.path.lastIndexOf("/") + 1);
  }

  /** Height of the last row; undefined before genesis was put. */
  get tipHeight(): number | undefined {
    return this.#tipHeight;
  }

  /**
   * The lowest height there is a row of, when that is not 1: of the snapshot that the chain here begins at, or of the lowest
   * block whose row was not pruned. 0 when everything is here.
   */
  get baseHeight(): number {
    return this.#baseHeight;
  }

  /** Whether the blocks below the lowest row were here and were let go, so that no snapshot's state is kept for them. */
  get isPruned(): boolean {
    return this.#horizon?.kind === "pruned";
  }

  /** The place that the lane's first record of the lowest row follows, where that is not the end of the records of genesis. */
  get laneBefore(): LanePlace | undefined {
    return this.#horizon?.laneBefore;
  }

  /** The step into an epoch, where its blocks are not here and it is kept by itself. */
  findHop(epoch: number): EpochHop | undefined {
    if (this.#baseHeight === 0) return undefined;
    const hop = this.#horizons.findHop(this.genesis().chainId, epoch);
    if (hop === "damaged") throw this.damaged(this.#baseHeight, `the step into epoch ${epoch} is not what was written`);
    return hop;
  }

  /**
   * Lets go of the rows below a height in one durable step, keeping what proves the rest. The row there stays as it is.
   *
   * @param hops the steps into epochs that only rows which go can show
   */
  prune(height: number, hops: ReadonlyMap<number, EpochHop>): void {
    assert(height > Math.max(1, this.#baseHeight) && height <= (this.#tipHeight ?? 0), "rows are let go upward, never the last");
    const below = this.read(height - 1);
    const { lane, replayMark } = below;
    const last = lane.records.at(-1);
    assert(last !== undefined, "a row has records in the chain lane");
    const before = this.#database.attempt(() => this.#selectHash.get(height - 1));
    assert(before !== null && before !== undefined, "a row that was read is there");
    const laneBefore = { epoch: lane.epoch, sequence: lane.firstSequence + lane.records.length - 1, hash: last.hash };
    const horizon: Horizon = { height, kind: "pruned", previousHash: before.hash, laneBefore, replayMark };
    const { chainId } = this.genesis();
    this.#database.atomically(() => {
      this.#horizons.putHops(chainId, hops);
      this.#horizons.put(chainId, horizon);
      this.#deleteBelow.run(height);
    });
    this.#horizon = horizon;
    this.#baseHeight = height;
  }

  /**
   * Goes on at a snapshot above the tip, in one durable step: the row of its block takes the place of all rows but that of
   * genesis. What the batch log holds since the last commit is still needed.
   *
   * @param laneBefore the last place of the lane so far, which the new records follow
   */
  rebase(manifest: SnapshotManifest, lane: LaneRecords, laneBefore: LanePlace): void {
    const { height } = manifest.block.header;
    const tipHeight = this.#tipHeight ?? 0;
    assert(tipHeight > 0 && height > tipHeight, "a chain that there is goes on at a later snapshot");
    const { replayMark } = this.read(tipHeight);
    const { chainId } = this.genesis();
    const genesis = this.#database.attempt(() => this.#selectHash.get(0));
    assert(genesis !== null && genesis !== undefined, "a chain has a genesis");
    const body = encodeBaseRow(manifest, lane);
    const hash = rowHashOf(height, genesis.hash, body);
    const horizon: Horizon = { height, kind: "snapshot", previousHash: genesis.hash, laneBefore, replayMark };
    this.#database.atomically(() => {
      this.#deleteBelow.run(height);
      this.#insert.run(height, hash, body);
      this.#horizons.dropHops();
      this.#horizons.put(chainId, horizon);
    });
    this.#horizon = horizon;
    this.#baseHeight = height;
    this.#setTip(height, hash);
  }

  /**
   * Gives room that pruning freed back to the disk, when more than half of the file holds nothing: what is kept is written
   * once more. Less than that is left for later rows. Takes time, and memory, with what is kept, so a large rest stays.
   *
   * @returns bytes given back
   */
  compactIfWorth(): number {
    const pageBytes = this.#database.askNumber("PRAGMA page_size");
    const freeBytes = this.#database.askNumber("PRAGMA freelist_count") * pageBytes;
    const keptBytes = this.#database.askNumber("PRAGMA page_count") * pageBytes - freeBytes;
    if (freeBytes < COMPACT_BYTES.freedMin || freeBytes < keptBytes || keptBytes > COMPACT_BYTES.keptMax) return 0;
    this.#database.compact();
    return freeBytes;
  }

  /** Writes the row of height 0 and that of a snapshot's block, the first of all, in one durable step. */
  putBase(genesis: CommittedGenesis, manifest: SnapshotManifest, lane: LaneRecords): void {
    assert(this.#tipHeight === undefined, "a chain begins once");
    const { height } = manifest.block.header;
    assert(height > 1, "a snapshot lies above the first block");
    const first = encodeGenesisRow(genesis);
    const firstHash = rowHashOf(0, genesis.chainId, first);
    const body = encodeBaseRow(manifest, lane);
    const hash = rowHashOf(height, firstHash, body);
    this.#database.atomically(() => {
      this.#insert.run(0, firstHash, first);
      this.#insert.run(height, hash, body);
    });
    this.#baseHeight = height;
    this.#setTip(height, hash);
  }

  /** Writes the row of height 0, the first of all. */
  putGenesis(genesis: CommittedGenesis): void {
    assert(this.#tipHeight === undefined, "a chain has one genesis");
    const body = encodeGenesisRow(genesis);
    const hash = rowHashOf(0, genesis.chainId, body);
    this.#database.atomically(() => this.#insert.run(0, hash, body));
    this.#setTip(0, hash);
  }

  /** The row of height 0, checked. */
  genesis(): CommittedGenesis {
    const row = this.#database.attempt(() => this.#select.get(0));
    const genesis = row ? decodeGenesisRow(row.body) : undefined;
    if (!row || !genesis || !bytesEqual(row.hash, rowHashOf(0, genesis.chainId, row.body))) {
      throw this.damaged(0, "the row of genesis is not what was written");
    }
    return genesis;
  }

  /** Adds the next blocks in one durable step: all of them or, when it throws, none. */
  append(blocks: readonly CommittedBlock[]): void {
    const rows: CheckedRow[] = [];
    let height = this.#tipHeight;
    let hash = this.#tipHash;
    assert(height !== undefined, "blocks stand on a genesis");
    for (const block of blocks) {
      height++;
      assert(block.block.header.height === height, "blocks are committed in height order");
      const body = encodeBlockRow(block);
      hash = rowHashOf(height, hash, body);
      rows.push({ height, hash, body });
    }
    this.#database.atomically(() => {
      for (const row of rows) this.#insert.run(row.height, row.hash, row.body);
    });
    this.#setTip(height, hash);
  }

  /**
   * The block at a height from 1, or from that of the snapshot, to the tip, checked against the row before it.
   *
   * @throws ChainDamaged when it is missing or is not what was written
   */
  read(height: number): CommittedBlock {
    assert(height >= 1 && height <= (this.#tipHeight ?? 0), "a block that is read was committed");
    const row = this.#database.attempt(() => this.#select.get(height));
    return this.#open(height, this.#hashBefore(height), row ?? undefined);
  }

  /** Rows from a height on, each checked against the one before, a page of them in memory at a time. */
  *rowsFrom(from: number): Generator<CommittedBlock, void, undefined> {
    assert(from >= 1, "genesis is not a block");
    let hash = this.#hashBefore(from);
    for (let height = from; height <= (this.#tipHeight ?? 0); ) {
      const page = this.#database.attempt(() => this.#selectFrom.all(height, PAGE_ROWS));
      if (page.length === 0) throw this.damaged(height, "its row is missing");
      for (const row of page) {
        yield this.#open(height, hash, row);
        hash = row.hash;
        height++;
      }
    }
  }

  /**
   * Moves the write-ahead log into the main file once it is worth the time it takes. Called after a commit, outside of it.
   *
   * @throws StorageError as the database's checkpoint; `diskFull` is no harm
   */
  checkpointWhenDue(): void {
    if (this.#database.logFrameCount >= CHECKPOINT_FRAMES) this.#database.checkpoint();
  }

  /** The error that names this file and a block. */
  damaged(height: number, detail: string): ChainDamaged {
    return new ChainDamaged(this.file, height, detail);
  }

  #open(height: number, previousHash: Uint8Array, row: Row | undefined): CommittedBlock {
    if (!row || Number(row.height) !== height) throw this.damaged(height, "its row is missing");
    if (!bytesEqual(row.hash, rowHashOf(height, previousHash, row.body))) {
      throw this.damaged(height, "its row does not follow from the row before it: one of the two is not what was written");
    }
    const isBase = height === this.#baseHeight && !this.isPruned;
    const block = isBase ? decodeBaseRow(row.body) : decodeBlockRow(row.body);
    if (block?.block.header.height !== height) throw this.damaged(height, "its row holds no block of that height");
    return isBase && this.#horizon ? { ...block, replayMark: this.#horizon.replayMark } : block;
  }

  /** Hash of the row before one: of genesis, where the chain begins at a snapshot, or as it was noted when that row went. */
  #hashBefore(height: number): Uint8Array {
    if (height === this.#baseHeight && this.#horizon) return this.#horizon.previousHash;
    const below = height === this.#baseHeight ? 0 : height - 1;
    const before = this.#database.attempt(() => this.#selectHash.get(below));
    if (!before) throw this.damaged(below, "its row is missing");
    return before.hash;
  }

  /** A chain that began at a snapshot has none; else the lowest row must be the one that is said to be. */
  #openHorizon(lowest: number): Horizon | undefined {
    const horizon = this.#horizons.find(this.genesis().chainId);
    if (horizon === undefined) return undefined;
    if (horizon === "damaged") throw this.damaged(lowest, "where the chain begins is not what was written");
    if (horizon.height !== lowest) throw this.damaged(horizon.height, `the chain is said to begin at it, but the lowest row is ${lowest}`);
    return horizon;
  }

  #setTip(height: number, hash: Uint8Array): void {
    this.#tipHeight = height;
    this.#tipHash = hash;
  }
}

/** Rows fetched at a time when many are walked. */
const PAGE_ROWS = 64;

/** Room worth giving back, and what may have to be written for it: a second or so. */
const COMPACT_BYTES = { freedMin: 8 * 1024 * 1024, keptMax: 128 * 1024 * 1024 } as const;
