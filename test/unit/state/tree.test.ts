import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nativeSuite } from "../../../src/crypto/index.ts";
import { bytesEqual, toHex } from "../../../src/kernel/index.ts";
import { genesisEntries } from "../../../src/ledger/index.ts";
import { stateBucketHash, stateLeafHash } from "../../../src/protocol/index.ts";
import { groupByBucket } from "../../../src/state/changes.ts";
import { bucketHash, bucketRootOf, entryHash } from "../../../src/state/hasher.ts";
import { Overlay } from "../../../src/state/overlay.ts";
import { countOf, keyAt, valueAt } from "../../../src/state/packed-bucket.ts";
import { buildTree, StateTree } from "../../../src/state/tree.ts";
import { slowRoot } from "./slow-root.ts";
import { account, crowd, EntryMap, publicKeyOf, removal } from "./state-fixture.ts";

const crowded = crowd(14);
const crowdChange = (index: number, balance: bigint) =>
  ({ key: crowded.keys[index] ?? new Uint8Array(33), entry: { kind: "account", nonce: 0n, balance } }) as const;

describe("the state tree", () => {
  test("state: nothing, one entry and a genesis, the roots that the definition gives", () => {
    expect(toHex(new StateTree().root())).toBe(slowRoot([]));
    const one = [account(1, 5n)];
    expect(toHex(buildTree(one).root())).toBe(slowRoot(new EntryMap().apply(one)));
    const genesis = genesisEntries({ accounts: [{ publicKey: publicKeyOf(1), balance: 7n }], validators: [] });
    expect(toHex(buildTree(genesis).root())).toBe(slowRoot(new EntryMap().apply(genesis)));
  });

  test("state: thousands of entries and buckets of every small size, the root that the definition gives", () => {
    const many = Array.from({ length: 3_000 }, (_, i) => account(i, BigInt(i) ** 4n, BigInt(i % 3)));
    for (let size = 1; size <= crowded.keys.length; size++) {
      const entries = crowded.keys.slice(0, size).map((_, i) => crowdChange(i, BigInt(i)));
      expect(toHex(buildTree(entries).root())).toBe(slowRoot(new EntryMap().apply(entries)));
    }
    const all = [...many, ...crowded.keys.map((_, i) => crowdChange(i, 9n))];
    const tree = buildTree(all);
    expect(toHex(tree.root())).toBe(slowRoot(new EntryMap().apply(all)));
    expect(tree.entryCount).toBe(all.length);
    expect([...tree.entries()].length).toBe(all.length);
  });

  test("state: the same entries in another order, the same root", () => {
    const entries = [...Array.from({ length: 200 }, (_, i) => account(i, 1n)), ...crowded.keys.map((_, i) => crowdChange(i, 1n))];
    expect(bytesEqual(buildTree(entries).root(), buildTree([...entries].reverse()).root())).toBe(true);
  });

  test("state: the hashes of the fast path, those that the protocol defines for verifiers", () => {
    const bucket = buildTree(crowded.keys.map((_, i) => crowdChange(i, 1n << BigInt(i)))).findBucket(crowded.bucket);
    if (bucket === undefined) throw new Error("a crowded bucket");
    for (let i = 0; i < countOf(bucket); i++) {
      expect(toHex(entryHash(bucket, i))).toBe(toHex(stateLeafHash(nativeSuite, keyAt(bucket, i), valueAt(bucket, i))));
    }
    expect(toHex(bucketHash(bucket))).toBe(toHex(stateBucketHash(nativeSuite, countOf(bucket), bucketRootOf(bucket))));
  });

  test("state: one entry changed twice in a block, a broken invariant", () => {
    expect(() => groupByBucket([account(1, 1n), account(1, 2n)])).toThrow("changes each entry once");
  });
});

describe("overlays", () => {
  const change = fc.tuple(fc.nat(40), fc.option(fc.bigInt(0n, 1n << 40n), { nil: undefined }));
  const block = fc.array(change, { maxLength: 12 }).map((list) => {
    return [...new Map(list)].map(([index, balance]) => {
      const isCrowded = index < crowded.keys.length;
      if (balance !== undefined) return isCrowded ? crowdChange(index, balance) : account(index, balance);
      return isCrowded ? { key: crowded.keys[index] ?? new Uint8Array(33), entry: undefined } : removal(index);
    });
  });

  test("state: random forks stacked and one branch folded, every root by the definition and the base untouched", () => {
    const step = fc.record({ parent: fc.nat(7), changes: block });
    const property = fc.property(block, fc.array(step, { maxLength: 8 }), fc.nat(7), (base, steps, chosen) => {
      const start = base.filter(({ entry }) => entry !== undefined);
      const tree = buildTree(start);
      const before = toHex(tree.root());
      const made: { overlay: Overlay; map: EntryMap; parent: number }[] = [];
      const baseMap = new EntryMap().apply(start);
      for (const { parent, changes } of steps) {
        const at = made.length === 0 ? -1 : (parent % (made.length + 1)) - 1;
        const below = made[at];
        const map = new EntryMap(below?.map ?? baseMap).apply(changes);
        const overlay = new Overlay(below?.overlay ?? tree, groupByBucket(changes));
        expect(toHex(overlay.root)).toBe(slowRoot(map));
        made.push({ overlay, map, parent: at });
      }
      expect(toHex(tree.root())).toBe(before);
      if (made.length === 0) return;
      const branch: number[] = [];
      for (let at = chosen % made.length; at >= 0; at = made[at]?.parent ?? -1) branch.unshift(at);
      for (const at of branch) {
        const { overlay, map } = made[at] as (typeof made)[number];
        overlay.foldInto(tree);
        expect(toHex(tree.root())).toBe(slowRoot(map));
        expect(tree.entryCount).toBe(map.size);
      }
      const tip = branch.at(-1) ?? -1;
      for (const [at, { overlay, parent }] of made.entries()) {
        const standsOnTip = (node: number): boolean => node === tip || (node >= 0 && standsOnTip(made[node]?.parent ?? -1));
        expect(overlay.isCurrent).toBe(at === tip || standsOnTip(parent));
        if (overlay.isCurrent) expect(toHex(overlay.root)).toBe(toHex(rootRead(overlay)));
      }
    });
    fc.assert(property, { numRuns: 60 });
  });

  /** The root as a block on the overlay would read it. */
  function rootRead(overlay: Overlay): Uint8Array {
    const root = new Uint8Array(32);
    overlay.copyNode(1, root, 0);
    return root;
  }

  test("state: an overlay folded out of order, twice, or beside a folded one, a broken invariant", () => {
    const tree = buildTree([account(1, 1n)]);
    const first = new Overlay(tree, groupByBucket([account(1, 2n)]));
    const second = new Overlay(first, groupByBucket([account(1, 3n)]));
    const sibling = new Overlay(tree, groupByBucket([account(1, 4n)]));
    expect(() => second.foldInto(tree)).toThrow("in the order of their blocks");
    first.foldInto(tree);
    expect(() => first.foldInto(tree)).toThrow("in the order of their blocks");
    expect(() => sibling.foldInto(tree)).toThrow("in the order of their blocks");
    second.foldInto(tree);
    expect(toHex(tree.root())).toBe(slowRoot(new EntryMap().apply([account(1, 3n)])));
  });

  test("state: overlays without changes, transparent, and folded like any other", () => {
    const tree = buildTree([account(1, 1n)]);
    let top = new Overlay(tree, groupByBucket([]));
    const chain = [top];
    for (let i = 0; i < 20; i++) {
      top = new Overlay(top, groupByBucket(i === 10 ? [account(2, 5n)] : []));
      chain.push(top);
    }
    expect(top.depth).toBe(21);
    for (const overlay of chain) overlay.foldInto(tree);
    expect(toHex(tree.root())).toBe(slowRoot(new EntryMap().apply([account(1, 1n), account(2, 5n)])));
  });
});
