import { inclusionPath, merkleRootOfHashes, nativeSuite, nodeHash, sha256 } from "../../../src/crypto/index.ts";
import { compareBytes } from "../../../src/kernel/index.ts";
import { STATE_TREE_DEPTH, type StateProof, stateBucketHash, stateBucketOf, stateLeafHash } from "../../../src/protocol/index.ts";

type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

/** A state of few entries with the chain's own commitment: what the real tree proves, it proves too. */
export class SparseState {
  readonly #buckets = new Map<number, readonly Entry[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of [...entries].sort((a, b) => compareBytes(a.key, b.key))) {
      const bucket = stateBucketOf(nativeSuite, entry.key);
      this.#buckets.set(bucket, [...(this.#buckets.get(bucket) ?? []), entry]);
    }
  }

  get root(): Uint8Array {
    return this.#node(STATE_TREE_DEPTH, 0);
  }

  prove(key: Uint8Array): StateProof {
    const bucket = stateBucketOf(nativeSuite, key);
    const entries = this.#buckets.get(bucket) ?? [];
    const hashes = entries.map((entry) => stateLeafHash(nativeSuite, entry.key, entry.value));
    const at = entries.findIndex((entry) => compareBytes(entry.key, key) >= 0);
    const place = at < 0 ? entries.length : at;
    const own = entries[place];
    const shown =
      own && compareBytes(own.key, key) === 0 ? [place] : [place - 1, place].filter((index) => index >= 0 && index < entries.length);
    const witnesses = shown.flatMap((index) => {
      const entry = entries[index];
      return entry ? [{ index, key: entry.key, value: entry.value, path: inclusionPath(hashes, index) }] : [];
    });
    const bucketPath = Array.from({ length: STATE_TREE_DEPTH }, (_, level) => this.#node(level, (bucket >> level) ^ 1));
    return { key, count: entries.length, bucketRoot: merkleRootOfHashes(hashes), witnesses, bucketPath };
  }

  /** Hash of the subtree of this height (0: a bucket) at this index; empty subtrees are computed once a height. */
  #node(height: number, index: number): Uint8Array {
    const isEmpty = ![...this.#buckets.keys()].some((bucket) => bucket >> height === index);
    if (isEmpty) return emptySubtree(height);
    if (height > 0) return nodeHash(this.#node(height - 1, 2 * index), this.#node(height - 1, 2 * index + 1));
    const entries = this.#buckets.get(index) ?? [];
    return stateBucketHash(
      nativeSuite,
      entries.length,
      merkleRootOfHashes(entries.map(({ key, value }) => stateLeafHash(nativeSuite, key, value))),
    );
  }
}

const EMPTY: Uint8Array[] = [stateBucketHash(nativeSuite, 0, sha256(new Uint8Array(0)))];

function emptySubtree(height: number): Uint8Array {
  const known = EMPTY[height];
  if (known) return known;
  const child = emptySubtree(height - 1);
  const made = nodeHash(child, child);
  EMPTY[height] = made;
  return made;
}
