import { assert, toHex } from "../src/kernel/index.ts";

/**
 * The hash tree of dm-verity, format 1 with SHA-256 and no superblock, as the kernel reads it (its documentation:
 * admin-guide/device-mapper/verity). Every block's hash is over the salt, then the block; each level's hashes fill blocks
 * of the level above, padded with zeros; the top level comes first behind the content.
 */

/** Bytes of a block, of content as of hashes. */
export const VERITY_BLOCK_BYTES = 4096;
const HASH_BYTES = 32;
const HASHES_PER_BLOCK = VERITY_BLOCK_BYTES / HASH_BYTES;

/** What a kernel needs to open a verified partition; the root hash stands for every byte of it. */
export type VerityTable = {
  /** Blocks of content; the tree begins right behind them. */
  readonly blocks: number;
  readonly rootHash: string;
  readonly salt: string;
};

/**
 * The tree over some content.
 *
 * @param content whole blocks
 * @param salt hashed before every block
 */
export function buildVerity(content: Uint8Array, salt: Uint8Array): { readonly table: VerityTable; readonly tree: Uint8Array } {
  assert(content.length % VERITY_BLOCK_BYTES === 0, "verified content consists of whole blocks");
  assert(content.length > VERITY_BLOCK_BYTES, "verified content is more than one block, whose tree would have no level");
  const levels: Uint8Array[] = [];
  let level = hashLevel(content, salt);
  while (level.length > VERITY_BLOCK_BYTES) {
    levels.unshift(level);
    level = hashLevel(level, salt);
  }
  levels.unshift(level);
  const rootHash = toHex(hashBlock(level, salt));
  const table = { blocks: content.length / VERITY_BLOCK_BYTES, rootHash, salt: toHex(salt) };
  return { table, tree: new Uint8Array(Buffer.concat(levels)) };
}

/** The hashes of a level's blocks, padded to whole blocks. */
function hashLevel(below: Uint8Array, salt: Uint8Array): Uint8Array {
  const blocks = below.length / VERITY_BLOCK_BYTES;
  const level = new Uint8Array(Math.ceil(blocks / HASHES_PER_BLOCK) * VERITY_BLOCK_BYTES);
  for (let i = 0; i < blocks; i++) {
    level.set(hashBlock(below.subarray(i * VERITY_BLOCK_BYTES, (i + 1) * VERITY_BLOCK_BYTES), salt), i * HASH_BYTES);
  }
  return level;
}

function hashBlock(block: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(new Bun.SHA256().update(salt).update(block).digest().buffer);
}

/** Writes a table as one word for the kernel's command line and the boot loader: blocks, root hash, salt. */
export function encodeVerityWord({ blocks, rootHash, salt }: VerityTable): string {
  return `${blocks}:${rootHash}:${salt}`;
}

/** Reads such a word; undefined when it is none. */
export function parseVerityWord(word: string): VerityTable | undefined {
  const found = /^([1-9][0-9]{0,9}):([0-9a-f]{64}):([0-9a-f]{64})$/.exec(word);
  if (found?.[1] === undefined || found[2] === undefined || found[3] === undefined) return undefined;
  return { blocks: Number(found[1]), rootHash: found[2], salt: found[3] };
}
