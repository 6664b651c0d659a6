import { EMPTY_MERKLE_ROOT, nodeHash } from "../../../src/crypto/portable.ts";
import { assert } from "../../../src/kernel/index.ts";

/** A whole subtree of a tree: `size` leaves, a power of two, from `start`, a multiple of it. */
export type Subtree = { readonly start: number; readonly size: number };

/** The whole subtrees that cover leaves `start` to `end` (not included), in order: the fewest there are. */
export function coverRange(start: number, end: number): readonly Subtree[] {
  assert(Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end, "a range begins before it ends");
  const cover: Subtree[] = [];
  let at = start;
  while (at < end) {
    let size = 1;
    while (at % (2 * size) === 0 && at + 2 * size <= end) size *= 2;
    cover.push({ start: at, size });
    at += size;
  }
  return cover;
}

/**
 * The root of a tree, put together from the roots of whole subtrees that cover it from its first leaf on.
 *
 * @param parts in order, without holes or overlaps
 * @see RFC 6962 section 2.1
 */
export function rootOfSubtrees(parts: readonly (Subtree & { readonly hash: Uint8Array })[]): Uint8Array {
  const peaks: { size: number; hash: Uint8Array }[] = [];
  let end = 0;
  for (const { start, size, hash } of parts) {
    assert(start === end, "subtrees follow one another");
    end += size;
    let merged = { size, hash };
    for (let left = peaks.at(-1); left?.size === merged.size; left = peaks.at(-1)) {
      peaks.pop();
      merged = { size: 2 * merged.size, hash: nodeHash(left.hash, merged.hash) };
    }
    peaks.push(merged);
  }
  const root = peaks.reduceRight<Uint8Array | undefined>((right, { hash }) => (right ? nodeHash(hash, right) : hash), undefined);
  return root ?? EMPTY_MERKLE_ROOT.slice();
}
