import { describe, expect, test } from "bun:test";
import { sha256Hex } from "../../../image/hashes.ts";
import { buildVerity, encodeVerityWord, parseVerityWord, VERITY_BLOCK_BYTES } from "../../../image/verity.ts";

const SALT = new Uint8Array(32).fill(0x5a);

/** Blocks with contents that differ. */
function content(blocks: number): Uint8Array {
  return Uint8Array.from({ length: blocks * VERITY_BLOCK_BYTES }, (_, i) => ((i * 7 + (i >> 12)) & 255) as number);
}

describe("verity", () => {
  // Root hash and tree of `veritysetup format --no-superblock --salt=5a5a... ` (cryptsetup 2.6.1) over the same bytes.
  test("image: three hundred blocks, have the tree that cryptsetup makes of them", () => {
    const { table, tree } = buildVerity(content(300), SALT);
    expect(table.rootHash).toBe("a379c5b277de45473ce4e28da6c42b2cacc140211810a7e6cd06d86313fcdb83");
    expect(tree.length).toBe(4 * VERITY_BLOCK_BYTES);
    expect(sha256Hex(tree)).toBe("c0e35e47959b5acf4ccc879f6d27dcf0bc8e3948a483a129d75efd7b9cc209cd");
  });

  test("image: any changed byte or another salt, changes the root hash", () => {
    const { rootHash } = buildVerity(content(130), SALT).table;
    for (const at of [0, 4096, 130 * VERITY_BLOCK_BYTES - 1]) {
      const changed = content(130);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(buildVerity(changed, SALT).table.rootHash).not.toBe(rootHash);
    }
    expect(buildVerity(content(130), new Uint8Array(32)).table.rootHash).not.toBe(rootHash);
  });

  test("image: content that is no whole blocks, or only one, breaks the invariant", () => {
    expect(() => buildVerity(new Uint8Array(VERITY_BLOCK_BYTES + 1), SALT)).toThrow("whole blocks");
    expect(() => buildVerity(new Uint8Array(VERITY_BLOCK_BYTES), SALT)).toThrow("more than one block");
  });

  test("image: the word for the kernel, reads back, and nothing else is one", () => {
    const { table } = buildVerity(content(3), SALT);
    const word = encodeVerityWord(table);
    expect(parseVerityWord(word)).toEqual(table);
    for (const wrong of ["", `0${word}`, `${word}:`, word.replace(":", " "), word.toUpperCase(), `x ${word}`])
      expect(parseVerityWord(wrong)).toBeUndefined();
  });
});
