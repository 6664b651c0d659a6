import { type Signer, sha256 } from "../../src/crypto/index.ts";
import { assert, bytesEqual, type Clock, type Entropy, toHex } from "../../src/kernel/index.ts";
import { type ChainAnchor, encodeSnapshotManifest, SNAPSHOT_LIMITS } from "../../src/protocol/index.ts";
import type { SnapshotFile } from "../../src/state/index.ts";
import type { ObjectStore } from "../../src/storage/index.ts";
import { nodePrefix } from "../protocol/index.ts";
import { listBackups, manifestName, namesOf, objectName } from "./catalogue.ts";
import { BACKUP_LIMITS } from "./limits.ts";
import { type BackupObject, encodeBackupManifest, verifyBackupManifest } from "./manifest.ts";
import { planRetention, RETENTION_DEFAULT, type Retention } from "./retention.ts";
import { enclose, sealPart } from "./sealing.ts";

/** A content key serves so long; equal parts are stored once as long as it does. */
const CONTENT_KEY_MS = 24 * 3_600_000;

/** What a backup is taken of: a checkpoint of the state and what proves its block. */
export type BackupSource = {
  readonly file: SnapshotFile;
  readonly anchor: ChainAnchor;
  /** The settings of the home, for the box that takes its place. */
  readonly configuration: string;
};

/** What writing backups takes. */
export type BackupWriterParts = {
  readonly store: ObjectStore;
  readonly chainId: Uint8Array;
  readonly node: string;
  readonly identity: Signer;
  /** Public keys of those who can open the backups, in age's form. */
  readonly recipients: readonly string[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly retention?: Retention;
};

/** A backup that was taken. */
export type TakenBackup = {
  readonly name: string;
  readonly height: number;
  readonly takenAtMs: number;
  readonly objects: number;
  /** Bytes put into the store; parts that were there already cost none. */
  readonly writtenBytes: number;
  /** Longest stretch of work on the calling thread, ms. */
  readonly turnMsMax: number;
};

/** A backup with what opens it. */
export type NewestBackup = { readonly name: string; readonly contentKey: Uint8Array; readonly anchorHash: Uint8Array };

/**
 * Takes backups of one node, one at a time. Of each part only reading and hashing is done on the calling thread; compressing,
 * encrypting and writing are not. The manifest comes last, so what a crash leaves is unreferenced parts, which a later
 * backup removes.
 */
export class BackupWriter {
  readonly #parts: BackupWriterParts;
  /** Objects that this content key made and the store holds: by hash of the part. */
  #stored = new Map<string, BackupObject>();
  #contentKey: Uint8Array | undefined;
  #keyFromMs = 0;
  #newest: NewestBackup | undefined;
  #isTaking = false;

  constructor(parts: BackupWriterParts) {
    assert(parts.recipients.length > 0 && parts.recipients.length <= BACKUP_LIMITS.recipientsMax, "a backup has one to four recipients");
    this.#parts = parts;
  }

  /**
   * Takes a backup; rejects with what the store threw when it does not serve, having changed nothing that counts.
   *
   * @param shouldStop asked between parts; when true nothing comes of it
   */
  async take(source: BackupSource, shouldStop: () => boolean = () => false): Promise<TakenBackup | undefined> {
    assert(!this.#isTaking, "one backup is taken at a time");
    this.#isTaking = true;
    try {
      return await this.#take(source, shouldStop);
    } finally {
      this.#isTaking = false;
    }
  }

  async #take({ file, anchor, configuration }: BackupSource, shouldStop: () => boolean): Promise<TakenBackup | undefined> {
    const { store, chainId, node, identity, recipients, clock } = this.#parts;
    const { header } = anchor.block;
    assert(
      header.height === file.mark.height && bytesEqual(header.stateRoot, file.mark.stateRoot),
      "the proof is of the state's own block",
    );
    const contentKey = this.#keyNow();
    const tally = { writtenBytes: 0, turnMsMax: 0 };
    const proof = encodeSnapshotManifest({ ...anchor, parts: file.parts });
    assert(proof.length <= SNAPSHOT_LIMITS.manifestBytesMax, "a snapshot's proof fits its bound");
    const objects = [await this.#putPart(contentKey, sha256(proof), () => proof, tally)];
    for (const { hash } of file.parts) {
      if (shouldStop()) return undefined;
      const object = await this.#putPart(contentKey, hash, () => file.find(hash), tally);
      objects.push(object);
    }
    const enclosure = await enclose(recipients, { contentKey, anchorHash: sha256(proof), configuration });
    const takenAtMs = clock.nowMs();
    const { height, stateRoot } = header;
    const stated = { chainId, node, identityKey: identity.publicKey, takenAtMs, height, stateRoot, enclosure, objects };
    const manifest = encodeBackupManifest(stated, identity);
    const name = manifestName(chainId, node, takenAtMs, height);
    await store.put(name, manifest);
    tally.writtenBytes += manifest.length;
    this.#newest = { name, contentKey, anchorHash: sha256(proof) };
    return { name, height, takenAtMs, objects: objects.length, ...tally };
  }

  /**
   * Lets go of backups that retention no longer wants, then of parts that no backup names. A manifest that cannot be read
   * keeps every part, since nobody knows what it names.
   *
   * @returns how many objects went
   */
  async prune(): Promise<number> {
    assert(!this.#isTaking, "nothing is removed while a backup is taken");
    const { store, chainId, node, retention } = this.#parts;
    const entries = await listBackups(store, chainId, node);
    const gone = new Set(
      planRetention(
        entries.map(({ takenAtMs }) => takenAtMs),
        retention ?? RETENTION_DEFAULT,
      ),
    );
    const named = new Set<string>();
    let isAllRead = true;
    let removed = 0;
    for (const { name, takenAtMs } of entries) {
      if (gone.has(takenAtMs)) {
        await store.delete(name);
        removed++;
        continue;
      }
      const bytes = await store.get(name);
      const manifest = bytes && verifyBackupManifest(bytes);
      if (manifest?.ok) for (const { hash } of manifest.value.objects) named.add(objectName(chainId, node, hash));
      else isAllRead = false;
    }
    if (!isAllRead || gone.size === 0) return removed;
    for await (const name of namesOf(store, `${nodePrefix(chainId, node)}parts/`)) {
      if (named.has(name)) continue;
      await store.delete(name);
      removed++;
    }
    this.#stored = new Map([...this.#stored].filter(([, { hash }]) => named.has(objectName(chainId, node, hash))));
    return removed;
  }

  /** The newest backup of this process with what opens it, for a drill on the box that has no recipient's key. */
  get newest(): NewestBackup | undefined {
    return this.#newest;
  }

  async #putPart(
    contentKey: Uint8Array,
    hash: Uint8Array,
    read: () => Uint8Array | undefined,
    tally: { writtenBytes: number; turnMsMax: number },
  ): Promise<BackupObject> {
    const known = this.#stored.get(toHex(hash));
    if (known) return known;
    const { store, chainId, node, clock } = this.#parts;
    const beganMs = clock.monotonicMs();
    const part = read();
    tally.turnMsMax = Math.max(tally.turnMsMax, clock.monotonicMs() - beganMs);
    if (part === undefined) throw new BackupUnreadable("the checkpoint of the state is not readable any more");
    const sealed = await sealPart(contentKey, hash, part);
    const hashedMs = clock.monotonicMs();
    const object = { hash: sha256(sealed), sizeBytes: sealed.length };
    tally.turnMsMax = Math.max(tally.turnMsMax, clock.monotonicMs() - hashedMs);
    await store.put(objectName(chainId, node, object.hash), sealed);
    tally.writtenBytes += sealed.length;
    this.#stored.set(toHex(hash), object);
    return object;
  }

  #keyNow(): Uint8Array {
    const nowMs = this.#parts.clock.monotonicMs();
    if (this.#contentKey && nowMs - this.#keyFromMs < CONTENT_KEY_MS) return this.#contentKey;
    this.#contentKey = this.#parts.entropy.bytes(32);
    this.#keyFromMs = nowMs;
    this.#stored = new Map();
    return this.#contentKey;
  }
}

/** The source of a backup could not be read: the disk, not the object store. */
export class BackupUnreadable extends Error {
  override readonly name = "BackupUnreadable";
}
