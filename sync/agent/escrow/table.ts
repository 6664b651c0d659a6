import type { Database, Migration } from "../../../src/storage/index.ts";
import type { DroppedParcel, EscrowOrigin, EscrowStore, KeptParcel } from "./ports.ts";

/** Tables of what is kept for other nodes: one row for each node and each parcel. The second format of sync.db. */
export const ESCROW_MIGRATION: Migration = (database) => {
  database.run(
    "CREATE TABLE escrow_origin (identity BLOB PRIMARY KEY, node TEXT NOT NULL, peer TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, released_epoch INTEGER NOT NULL, released_sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID",
  );
  database.run(
    "CREATE TABLE escrow_parcel (identity BLOB, epoch INTEGER, sequence INTEGER, first INTEGER NOT NULL, hash BLOB NOT NULL, kept_ms INTEGER NOT NULL, parcel BLOB NOT NULL, PRIMARY KEY (identity, epoch, sequence)) STRICT, WITHOUT ROWID",
  );
};

type OriginRow = {
  readonly identity: Uint8Array;
  readonly node: string;
  readonly peer: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly hash: Uint8Array;
  readonly released_epoch: bigint;
  readonly released_sequence: bigint;
  readonly bytes: bigint;
};

type ParcelRow = {
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly first: bigint;
  readonly hash: Uint8Array;
  readonly kept_ms: bigint;
  readonly parcel: Uint8Array;
};

type DroppedRow = { readonly identity: Uint8Array; readonly epoch: bigint; readonly first: bigint; readonly bytes: bigint };

const ORIGINS =
  "SELECT identity, node, peer, epoch, sequence, hash, released_epoch, released_sequence, (SELECT coalesce(sum(length(parcel)), 0) FROM escrow_parcel p WHERE p.identity = o.identity) AS bytes FROM escrow_origin o";
const PARCELS = "SELECT epoch, sequence, first, hash, kept_ms, parcel FROM escrow_parcel";
const RELEASED =
  "SELECT p.identity, p.epoch, p.first, length(p.parcel) AS bytes FROM escrow_parcel p JOIN escrow_origin o ON o.identity = p.identity WHERE (p.epoch, p.sequence) <= (o.released_epoch, o.released_sequence)";

/** Frames of the write-ahead log at which it is moved into the main file. */
const MOVED_FRAMES = 1_000;

/** Parcels of other nodes in sync.db. What was put survives the end of the process; a power cut only once the file is synced. */
export class EscrowTable implements EscrowStore {
  readonly #database: Database;
  readonly #statements;

  constructor(database: Database) {
    this.#database = database;
    this.#statements = {
      origins: database.prepare<OriginRow, []>(`${ORIGINS} ORDER BY identity`),
      origin: database.prepare<OriginRow, [Uint8Array]>(`${ORIGINS} WHERE identity = ?`),
      putOrigin: database.prepare<never, [Uint8Array, string, string, number, number, Uint8Array]>(
        "INSERT INTO escrow_origin VALUES (?, ?, ?, ?, ?, ?, 0, 0) ON CONFLICT (identity) DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence, hash = excluded.hash",
      ),
      release: database.prepare<never, [number, number, Uint8Array]>(
        "UPDATE escrow_origin SET released_epoch = ?1, released_sequence = ?2 WHERE identity = ?3 AND (released_epoch, released_sequence) < (?1, ?2)",
      ),
      forget: database.prepare<never, []>(
        "DELETE FROM escrow_origin WHERE NOT EXISTS (SELECT 1 FROM escrow_parcel p WHERE p.identity = escrow_origin.identity)",
      ),
      with: database.prepare<ParcelRow, [Uint8Array, number, number]>(
        `${PARCELS} WHERE identity = ?1 AND epoch = ?2 AND sequence >= ?3 AND first <= ?3 ORDER BY sequence LIMIT 1`,
      ),
      after: database.prepare<ParcelRow, [Uint8Array, number, number, number]>(
        `${PARCELS} WHERE identity = ? AND (epoch, sequence) > (?, ?) ORDER BY epoch, sequence LIMIT ?`,
      ),
      put: database.prepare<never, [Uint8Array, number, number, number, Uint8Array, number, Uint8Array]>(
        "INSERT INTO escrow_parcel (identity, epoch, sequence, first, hash, kept_ms, parcel) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ),
      drop: database.prepare<never, [Uint8Array, number, number]>(
        "DELETE FROM escrow_parcel WHERE identity = ? AND epoch = ? AND first = ?",
      ),
      released: database.prepare<DroppedRow, [number]>(`${RELEASED} ORDER BY p.kept_ms, p.epoch, p.sequence LIMIT ?`),
      releasedOf: database.prepare<DroppedRow, [Uint8Array, number]>(
        `${RELEASED} AND p.identity = ? ORDER BY p.kept_ms, p.epoch, p.sequence LIMIT ?`,
      ),
    };
  }

  origins(): readonly EscrowOrigin[] {
    return this.#database.attempt(() => this.#statements.origins.all().map(originOf));
  }

  find(identityKey: Uint8Array): EscrowOrigin | undefined {
    const row = this.#database.attempt(() => this.#statements.origin.get(identityKey));
    return row ? originOf(row) : undefined;
  }

  parcelWith(identityKey: Uint8Array, epoch: number, sequence: number): KeptParcel | undefined {
    const row = this.#database.attempt(() => this.#statements.with.get(identityKey, epoch, sequence));
    return row ? parcelOf(row) : undefined;
  }

  parcelsAfter(
    identityKey: Uint8Array,
    { epoch, sequence }: { readonly epoch: number; readonly sequence: number },
    limit: number,
  ): readonly KeptParcel[] {
    return this.#database.attempt(() => this.#statements.after.all(identityKey, epoch, sequence, limit).map(parcelOf));
  }

  put(origin: Omit<EscrowOrigin, "released" | "bytes">, parcel: KeptParcel, dropped: readonly DroppedParcel[]): void {
    const { identityKey, node, peer, tip } = origin;
    this.#database.atomically(() => {
      for (const { identityKey: owner, epoch, from } of dropped) this.#statements.drop.run(owner, epoch, from);
      this.#statements.putOrigin.run(identityKey, node, peer, tip.epoch, tip.sequence, tip.hash);
      const { epoch, from, to, tipHash, keptAtMs } = parcel;
      this.#statements.put.run(identityKey, epoch, to, from, tipHash, keptAtMs, parcel.parcel);
    });
    if (this.#database.logFrameCount >= MOVED_FRAMES) this.#database.checkpoint();
  }

  release(identityKey: Uint8Array, { epoch, sequence }: { readonly epoch: number; readonly sequence: number }): void {
    this.#database.atomically(() => this.#statements.release.run(epoch, sequence, identityKey));
  }

  released(identityKey: Uint8Array | undefined, limit: number): readonly DroppedParcel[] {
    const { released, releasedOf } = this.#statements;
    const rows = this.#database.attempt(() => (identityKey ? releasedOf.all(identityKey, limit) : released.all(limit)));
    return rows.map(({ identity, epoch, first, bytes }) => ({
      identityKey: identity,
      epoch: Number(epoch),
      from: Number(first),
      bytes: Number(bytes),
    }));
  }

  forgetEmpty(): void {
    this.#database.atomically(() => this.#statements.forget.run());
  }
}

function originOf(row: OriginRow): EscrowOrigin {
  const tip = { epoch: Number(row.epoch), sequence: Number(row.sequence), hash: row.hash };
  const released = { epoch: Number(row.released_epoch), sequence: Number(row.released_sequence) };
  return { identityKey: row.identity, node: row.node, peer: row.peer, tip, released, bytes: Number(row.bytes) };
}

function parcelOf({ epoch, sequence, first, hash, kept_ms, parcel }: ParcelRow): KeptParcel {
  return { epoch: Number(epoch), from: Number(first), to: Number(sequence), tipHash: hash, keptAtMs: Number(kept_ms), parcel };
}
