import { nativeSuite } from "../crypto/index.ts";
import { assert, compareBytes } from "../kernel/index.ts";
import type { EntryChange } from "../ledger/index.ts";
import { encodeEntry, type StateEntry, stateBucketOf } from "../protocol/index.ts";
import { encodeAccount } from "./account-value.ts";
import type { BucketChange } from "./packed-bucket.ts";

/** Changed entries by bucket, each list in ascending order of key without repeats. */
export type ChangesByBucket = ReadonlyMap<number, readonly BucketChange[]>;

/** Sorts a block's changes, in whatever order they come, into the one order that the tree is computed in. */
export function groupByBucket(changes: readonly EntryChange[]): ChangesByBucket {
  const groups = new Map<number, BucketChange[]>();
  for (const { key, entry } of changes) {
    const bucket = stateBucketOf(nativeSuite, key);
    const change = { key, value: entry === undefined ? undefined : encodeValue(entry) };
    const group = groups.get(bucket);
    if (group === undefined) groups.set(bucket, [change]);
    else group.push(change);
  }
  for (const group of groups.values()) {
    if (group.length > 1) group.sort((a, b) => compareBytes(a.key, b.key));
    for (let i = 1; i < group.length; i++) {
      const isOrdered = compareBytes((group[i - 1] as BucketChange).key, (group[i] as BucketChange).key) < 0;
      assert(isOrdered, "a block changes each entry once");
    }
  }
  return groups;
}

function encodeValue(entry: StateEntry): Uint8Array {
  return entry.kind === "account" ? encodeAccount(entry) : encodeEntry(entry);
}
