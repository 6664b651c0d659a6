import { assert, bytesEqual } from "../kernel/index.ts";
import type { SnapshotManifest } from "../protocol/index.ts";
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
import { ChainDamaged, type CommittedBlock, type CommittedGenesis, type LaneRecords } from "./types.ts";

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
    const tip = database.attempt(() => this.#selectTip.get());
    if (tip) this.#setTip(Number(tip.height), tip.hash);
    const lowest = database.attempt(() => this.#selectFrom.all(1, 1))[0];
    if (lowest && Number(lowest.height) > 1) this.#baseHeight = Number(lowest.height);
  }

  /** Name of the file, for messages. */
  get file(): string {
    return this.#database.path.slice(this.#database.path.lastIndexOf("/") + 1);
  }

  /** Height of the last row; undefined before genesis was put. */
  get tipHeight(): number | undefined {
    return this.#tipHeight;
  }

  /** Height of the block at whose snapshot the chain here begins, the lowest there is a row of; 0 when it begins at genesis. */
  get baseHeight(): number {
    return this.#baseHeight;
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
    const before = this.#database.attempt(() => this.#selectHash.get(this.#below(height)));
    if (!before) throw this.damaged(this.#below(height), "its row is missing");
    return this.#open(height, before.hash, row ?? undefined);
  }

  /** Rows from a height on, each checked against the one before, a page of them in memory at a time. */
  *rowsFrom(from: number): Generator<CommittedBlock, void, undefined> {
    assert(from >= 1, "genesis is not a block");
    const before = this.#database.attempt(() => this.#selectHash.get(this.#below(from)));
    if (!before) throw this.damaged(this.#below(from), "its row is missing");
    let hash = before.hash;
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
    const block = height === this.#baseHeight ? decodeBaseRow(row.body) : decodeBlockRow(row.body);
    if (block?.block.header.height !== height) throw this.damaged(height, "its row holds no block of that height");
    return block;
  }

  /** The row before one: that of genesis, where the chain begins at a snapshot. */
  #below(height: number): number {
    return height === this.#baseHeight ? 0 : height - 1;
  }

  #setTip(height: number, hash: Uint8Array): void {
    this.#tipHeight = height;
    this.#tipHash = hash;
  }
}

/** Rows fetched at a time when many are walked. */
const PAGE_ROWS = 64;
