import { sha256 } from "../crypto/index.ts";
import { assert, bytesEqual, err, ok, type Result } from "../kernel/index.ts";
import { SNAPSHOT_LIMITS, type SnapshotPart } from "../protocol/index.ts";
import { type CheckpointMark, decodePart } from "./checkpoint.ts";
import { isPackedBucket } from "./packed-bucket.ts";
import { type CheckpointFault, CheckpointFile, type FileSystem, OpenCheckpoint } from "./store.ts";

/**
 * A checkpoint file as a snapshot is served from it: the parts with their hashes, each readable. Holds the file open, so
 * that a later checkpoint, which takes its place, does not change what is served.
 */
export class SnapshotFile {
  readonly mark: CheckpointMark;
  readonly parts: readonly SnapshotPart[];
  readonly #file: OpenCheckpoint;
  readonly #offsets: readonly number[];

  private constructor(file: OpenCheckpoint, mark: CheckpointMark, parts: readonly SnapshotPart[], offsets: readonly number[]) {
    this.#file = file;
    this.mark = mark;
    this.parts = parts;
    this.#offsets = offsets;
  }

  /**
   * Opens a checkpoint and walks it, a part a step, so that the caller can let others have their turn.
   *
   * @throws StorageError when the disk fails
   */
  static *open(fs: FileSystem, path: string, chainId: Uint8Array): Generator<void, Result<SnapshotFile, CheckpointFault>> {
    const file = OpenCheckpoint.open(fs, path, chainId);
    if (!file.ok) return file;
    const parts: SnapshotPart[] = [];
    const offsets: number[] = [];
    for (;;) {
      const part = file.value.nextPart();
      if (!part.ok) {
        file.value.close();
        return part;
      }
      if (part.value.content.length === 0) break;
      parts.push({ hash: sha256(part.value.content), sizeBytes: part.value.content.length });
      offsets.push(part.value.offset);
      yield;
    }
    return ok(new SnapshotFile(file.value, file.value.mark, parts, offsets));
  }

  /** The content of a part by its hash; undefined when there is no such part, or the disk no longer gives it. */
  find(hash: Uint8Array): Uint8Array | undefined {
    const at = this.parts.findIndex((part) => bytesEqual(part.hash, hash));
    const [part, offset] = [this.parts[at], this.#offsets[at]];
    if (!part || offset === undefined) return undefined;
    const content = this.#file.read(offset, part.sizeBytes);
    return content && bytesEqual(sha256(content), hash) ? content : undefined;
  }

  /** Lets go of the file. */
  close(): void {
    this.#file.close();
  }
}

/**
 * Takes the parts of a snapshot in order into a checkpoint file, each checked by hash and shape before it is written.
 * The file is in its place, durable, only after `finish`; its entries are compared with the state root when it is loaded.
 */
export class SnapshotWriter {
  readonly #file: CheckpointFile;
  readonly #parts: readonly SnapshotPart[];
  #taken = 0;

  /**
   * Goes on where an earlier download of the same parts was cut short: what the file holds of them is checked like what comes.
   *
   * @throws StorageError from every method
   */
  constructor(fs: FileSystem, path: string, mark: CheckpointMark, parts: readonly SnapshotPart[]) {
    this.#parts = parts;
    this.#file = new CheckpointFile(fs, path, mark, (content) => {
      if (!this.#isWanted(content)) return false;
      this.#taken++;
      return true;
    });
  }

  /** Parts that are there. */
  get taken(): number {
    return this.#taken;
  }

  /** The part that is wanted next; undefined when all are there. */
  get wanted(): SnapshotPart | undefined {
    return this.#parts[this.#taken];
  }

  /** Takes the wanted part; an error says what is wrong with these bytes, and another peer may be asked for it. */
  take(content: Uint8Array): Result<void, "wrongPart"> {
    assert(this.wanted !== undefined, "a part that is taken was wanted");
    if (!this.#isWanted(content)) return err("wrongPart");
    this.#file.append(content);
    this.#taken++;
    return ok(undefined);
  }

  #isWanted(content: Uint8Array): boolean {
    const { wanted } = this;
    if (!wanted || content.length === 0 || content.length !== wanted.sizeBytes || content.length > SNAPSHOT_LIMITS.partBytesMax)
      return false;
    if (!bytesEqual(sha256(content), wanted.hash)) return false;
    let isSound = true;
    const isPart = decodePart(content, (_bucket, entries) => {
      if (!isPackedBucket(entries)) isSound = false;
    });
    return isPart && isSound;
  }

  /** Makes the file durable in its place. */
  finish(): void {
    assert(this.wanted === undefined, "a snapshot is whole when it is put in place");
    this.#file.finish();
  }

  /** Lets go of an unfinished file. */
  abandon(): void {
    this.#file.abandon();
  }
}
