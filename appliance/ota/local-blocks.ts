import { open } from "node:fs/promises";
import { err, ok, type Result } from "../../src/kernel/index.ts";
import { BLOCK_BYTES, DIGEST_BYTES } from "./bundle-layout.ts";
import { hashBlock } from "./verity.ts";

/** Bytes read at a time; the loop turns between chunks, since hashing a whole slot takes seconds. */
const CHUNK_BYTES = 1024 * 1024;
const ZEROS = new Uint8Array(CHUNK_BYTES);

/** Which blocks of a payload are still to be found, by the digests of its signed tree. */
export class WantedBlocks {
  readonly count: number;
  readonly #leaves: Uint8Array;
  readonly #salt: Uint8Array;
  readonly #found: Uint8Array;
  /** Blocks by the beginning of their digest: one number where a block is the only one of its content. */
  readonly #places = new Map<number, number | number[]>();
  #missing: number;

  /** @param leaves digests of all blocks, one after the other, as the signed tree has them */
  constructor(leaves: Uint8Array, salt: Uint8Array) {
    this.count = leaves.length / DIGEST_BYTES;
    this.#leaves = leaves;
    this.#salt = salt;
    this.#found = new Uint8Array(this.count);
    this.#missing = this.count;
    for (let i = 0; i < this.count; i++) {
      const key = keyOf(this.#leafOf(i));
      const before = this.#places.get(key);
      this.#places.set(key, before === undefined ? i : [before, i].flat());
    }
  }

  /** How many are missing. */
  get missing(): number {
    return this.#missing;
  }

  /** Whether one of them is missing. */
  isMissing(index: number): boolean {
    return this.#found[index] === 0;
  }

  /** Whether bytes are the block of a place. */
  isBlock(index: number, block: Uint8Array): boolean {
    return Buffer.compare(hashBlock(block, this.#salt), this.#leafOf(index)) === 0;
  }

  /** Notes that one is there. */
  note(index: number): void {
    if (this.#found[index] === 0) this.#missing--;
    this.#found[index] = 1;
  }

  /** The missing places whose block this is. */
  placesOf(block: Uint8Array): readonly number[] {
    const digest = hashBlock(block, this.#salt);
    const places = this.#places.get(keyOf(digest));
    if (places === undefined) return [];
    return [places].flat().filter((index) => this.isMissing(index) && Buffer.compare(digest, this.#leafOf(index)) === 0);
  }

  #leafOf(index: number): Uint8Array {
    return this.#leaves.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
  }
}

function keyOf(digest: Uint8Array): number {
  return Buffer.from(digest.buffer, digest.byteOffset, 6).readUIntBE(0, 6);
}

/** Notes the blocks that a file has at their places already, as what an interrupted download left has them. */
export async function noteOwnBlocks(path: string, wanted: WantedBlocks): Promise<void> {
  const zero = wanted.count > 0 ? new Set(wanted.placesOf(ZEROS.subarray(0, BLOCK_BYTES))) : new Set<number>();
  await readChunks(path, wanted.count * BLOCK_BYTES, (chunk, at) => {
    const isZero = Buffer.compare(chunk, ZEROS.subarray(0, chunk.length)) === 0; // a hole, most of the time
    for (let from = 0; from + BLOCK_BYTES <= chunk.length; from += BLOCK_BYTES) {
      const index = (at + from) / BLOCK_BYTES;
      const isOwn = isZero ? zero.has(index) : wanted.isBlock(index, chunk.subarray(from, from + BLOCK_BYTES));
      if (isOwn) wanted.note(index);
    }
    return true;
  });
}

/**
 * Looks for missing blocks in a device or file of this machine and hands over each that it finds, with its places.
 *
 * @returns why nothing could be read, as a sentence part; undefined when it could
 */
export async function takeBlocksFrom(
  path: string,
  wanted: WantedBlocks,
  take: (block: Uint8Array, places: readonly number[]) => void,
): Promise<string | undefined> {
  return await readChunks(path, Number.MAX_SAFE_INTEGER, (chunk) => {
    if (Buffer.compare(chunk, ZEROS.subarray(0, chunk.length)) === 0) return true;
    for (let from = 0; from + BLOCK_BYTES <= chunk.length; from += BLOCK_BYTES) {
      const block = chunk.subarray(from, from + BLOCK_BYTES);
      const places = wanted.placesOf(block);
      if (places.length > 0) take(block, places);
    }
    return wanted.missing > 0;
  });
}

/** Reads a file or device from its beginning until it ends, cannot be read, or enough was read. */
async function readChunks(path: string, limit: number, take: (chunk: Uint8Array, at: number) => boolean): Promise<string | undefined> {
  const file = await ofSystem(path, open(path, "r"));
  if (!file.ok) return file.error;
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; at < limit; ) {
      const read = await ofSystem(path, file.value.read(chunk, 0, Math.min(CHUNK_BYTES, limit - at), at));
      if (!read.ok) return read.error;
      const { bytesRead } = read.value;
      if (bytesRead === 0 || !take(chunk.subarray(0, bytesRead), at)) break;
      at += bytesRead;
    }
    return undefined;
  } finally {
    await file.value.close();
  }
}

/** What the system answers, or the code with which it refuses. */
async function ofSystem<T>(path: string, answer: Promise<T>): Promise<Result<T, string>> {
  try {
    return ok(await answer);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && typeof error.code === "string")) throw error;
    return err(`${path}: ${error.code}`);
  }
}
