import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compareBytes, toHex } from "../../../src/kernel/index.ts";
import { accountKey, decodeEntry, encodeEntry, SUPPLY_KEY, U64_MAX } from "../../../src/protocol/index.ts";
import { encodeAccount, readAccount } from "../../../src/state/account-value.ts";
import {
  type BucketChange,
  countOf,
  isKeyAt,
  isPackedBucket,
  keyAt,
  lowerBound,
  mergeBucket,
  valueAt,
} from "../../../src/state/packed-bucket.ts";
import { publicKeyOf } from "./state-fixture.ts";

/** Keys as a state has them: the supply's and some accounts'. */
const KEYS = [SUPPLY_KEY, ...Array.from({ length: 12 }, (_, i) => accountKey(publicKeyOf(i)))].sort(compareBytes);

const changes: fc.Arbitrary<BucketChange[]> = fc
  .array(fc.tuple(fc.nat(KEYS.length - 1), fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined })))
  .map((list) => new Map(list))
  .map((chosen) => [...chosen].sort(([a], [b]) => a - b).map(([index, value]) => ({ key: KEYS[index] ?? SUPPLY_KEY, value })));

describe("a packed bucket", () => {
  test("state: changes merged one list after another, the entries that a map would hold, in key order", () => {
    const property = fc.property(fc.array(changes, { maxLength: 6 }), (lists) => {
      const map = new Map<string, string>();
      let bucket: Uint8Array | undefined;
      for (const list of lists) {
        const before = bucket?.slice();
        const merged = mergeBucket(bucket, list);
        expect(bucket).toEqual(before as never);
        bucket = merged;
        for (const { key, value } of list) {
          if (value === undefined) map.delete(toHex(key));
          else map.set(toHex(key), toHex(value));
        }
        const found: [string, string][] = [];
        for (let i = 0; bucket !== undefined && i < countOf(bucket); i++) found.push([toHex(keyAt(bucket, i)), toHex(valueAt(bucket, i))]);
        expect(found).toEqual([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
        expect(bucket === undefined || isPackedBucket(bucket)).toBe(true);
      }
    });
    fc.assert(property, { numRuns: 300 });
  });

  test("state: every key looked up in a bucket of every second one, found or placed where it would stand", () => {
    const held = KEYS.filter((_, i) => i % 2 === 0);
    const bucket = mergeBucket(
      undefined,
      held.map((key) => ({ key, value: Uint8Array.of(1) })),
    );
    if (bucket === undefined) throw new Error("a bucket with entries");
    for (const [i, key] of KEYS.entries()) {
      expect(lowerBound(bucket, key)).toBe(Math.ceil(i / 2));
      expect(isKeyAt(bucket, lowerBound(bucket, key), key)).toBe(i % 2 === 0);
    }
  });

  test("state: a packed bucket with any byte changed or cut, never read past its end", () => {
    const bucket = mergeBucket(
      undefined,
      KEYS.map((key, i) => ({ key, value: new Uint8Array(i + 1).fill(7) })),
    );
    if (bucket === undefined) throw new Error("a bucket with entries");
    const property = fc.property(fc.nat(bucket.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(bucket.length), (at, flip, cut) => {
      const changed = bucket.slice();
      changed[at] = (changed[at] as number) ^ flip;
      for (const bytes of [changed, bucket.slice(0, cut), changed.slice(0, cut)]) {
        if (!isPackedBucket(bytes)) continue;
        let size = 4;
        for (let i = 0; i < countOf(bytes); i++) size += 33 + 4 + valueAt(bytes, i).length;
        expect(size).toBe(bytes.length);
      }
    });
    fc.assert(property, { numRuns: 2_000 });
    expect(isPackedBucket(bucket)).toBe(true);
    expect(isPackedBucket(bucket.slice(0, -1))).toBe(false);
    expect(isPackedBucket(new Uint8Array(4))).toBe(false);
    expect(isPackedBucket(new Uint8Array(0))).toBe(false);
  });
});

describe("an account's value", () => {
  const edges = [
    0n,
    23n,
    24n,
    255n,
    256n,
    65_535n,
    65_536n,
    (1n << 32n) - 1n,
    1n << 32n,
    (1n << 53n) - 1n,
    1n << 53n,
    (1n << 53n) + 1n,
    (1n << 54n) - 1n,
    U64_MAX,
  ];
  const u64 = fc.oneof(fc.constantFrom(...edges), fc.bigInt(0n, U64_MAX));

  test("state: the fast codec of accounts, the same bytes and values as the protocol's", () => {
    const key = accountKey(publicKeyOf(1));
    const check = (nonce: bigint, balance: bigint, offset: number): void => {
      const entry = { kind: "account", nonce, balance } as const;
      const value = encodeAccount(entry);
      expect(toHex(value)).toBe(toHex(encodeEntry(entry)));
      const shifted = new Uint8Array(offset + value.length);
      shifted.set(value, offset);
      expect(readAccount(shifted, offset)).toEqual(entry);
      expect(decodeEntry(key, value)).toEqual({ ok: true, value: entry });
    };
    for (const edge of edges) check(edge, U64_MAX - edge, 1);
    fc.assert(fc.property(u64, u64, fc.nat(5), check), { numRuns: 500 });
  });
});
