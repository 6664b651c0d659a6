import { compareRounds, type Round } from "../consensus/index.ts";
import { sha256 } from "../crypto/index.ts";
import { bytesEqual, CborReader, CborWriter, err, ok, type Result, toHex } from "../kernel/index.ts";
import { type FileSystem, parentOf, replaceFile } from "../storage/index.ts";

/** Where the mark of a key lies, and whose it is. */
export type SignedMarkFiles = {
  readonly fs: FileSystem;
  /** Folder of the marks, apart from the journal's disk where there is such a place; its parent exists. */
  readonly directory: string;
  readonly publicKey: Uint8Array;
};

/** A round is noted when so many views lie between it and the last one noted; each epoch is noted at its first vote. */
const NOTED_VIEWS = 256;
const VERSION = 1;

/**
 * How far a key has certainly signed, beside its journal and not on its disk: a journal that ends before it is an older copy. It is
 * noted after the votes are durable in the journal, so it never says more than that holds; a few bytes each 256 views.
 */
export class SignedMark {
  readonly #files: SignedMarkFiles;
  #noted: Round;
  #latest: Round;

  private constructor(files: SignedMarkFiles, noted: Round) {
    this.#files = files;
    this.#noted = noted;
    this.#latest = noted;
  }

  /**
   * Reads a key's mark; one that is not there stands for nothing signed.
   *
   * Errors: a sentence, when it is not what was written.
   *
   * @throws StorageError when the disk refuses to read
   */
  static open(files: SignedMarkFiles): Result<SignedMark, string> {
    const path = pathOf(files);
    if (files.fs.stat(path) === undefined) return ok(new SignedMark(files, { epoch: 0, view: 0 }));
    const round = decode(files.fs.readFile(path), files.publicKey);
    return round ? ok(new SignedMark(files, round)) : err(`${path} is not what was written`);
  }

  /** How far the key has signed at least. */
  get noted(): Round {
    return this.#noted;
  }

  /** A vote of this round is durable in the journal. Throws when the mark cannot be written: then nothing may be signed any more. */
  advance(round: Round): void {
    if (compareRounds(round, this.#latest) > 0) this.#latest = { epoch: round.epoch, view: round.view };
    const { epoch, view } = this.#latest;
    if (epoch > this.#noted.epoch || view >= this.#noted.view + NOTED_VIEWS) this.flush();
  }

  /** Notes the last round exactly. */
  flush(): void {
    if (compareRounds(this.#latest, this.#noted) > 0) this.#write();
  }

  /** An operator who knows that no other box runs the key says that what lies beyond a round does not count; nothing else lowers it. */
  lowerTo(round: Round): void {
    if (compareRounds(round, this.#noted) >= 0) return;
    this.#latest = round;
    this.#write();
  }

  #write(): void {
    const { fs, directory, publicKey } = this.#files;
    if (fs.stat(directory) === undefined) {
      fs.makeDirectory(directory);
      fs.syncDirectory(parentOf(directory));
    }
    replaceFile(fs, pathOf(this.#files), encode(publicKey, this.#latest));
    this.#noted = this.#latest;
  }
}

/** Canonical CBOR: [version, key, epoch, view], and its SHA-256 behind it. */
function encode(publicKey: Uint8Array, { epoch, view }: Round): Uint8Array {
  const body = new CborWriter(64).array(4).uint(VERSION).bytes(publicKey).uint(epoch).uint(view).finish();
  return Uint8Array.from([...body, ...sha256(body)]);
}

function decode(bytes: Uint8Array, publicKey: Uint8Array): Round | undefined {
  const [body, digest] = [bytes.subarray(0, -32), bytes.subarray(-32)];
  if (digest.length !== 32 || !bytesEqual(sha256(body), digest)) return undefined;
  const r = new CborReader(body);
  if (r.array(4) !== 4 || r.uint() !== VERSION || !bytesEqual(r.bytes(32), publicKey)) r.reject();
  const round = { epoch: r.uint(), view: r.uint() };
  return r.isComplete ? round : undefined;
}

function pathOf({ directory, publicKey }: SignedMarkFiles): string {
  return `${directory}/${toHex(publicKey)}.signed`;
}
