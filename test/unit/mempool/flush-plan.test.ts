import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { chunked, planFlush } from "../../../src/mempool/flush-plan.ts";
import { Pool } from "../../../src/mempool/pool.ts";
import type { Place, PoolEntry } from "../../../src/mempool/pool-entry.ts";
import { LIMITS } from "../../../src/protocol/index.ts";

const CLOCK = { height: 10, nowMs: 1_000 };

/** A pool whose accounts stand at these next nonces, and a way to put entries into it. */
function poolWith(nextNonces: readonly bigint[]) {
  const pool = new Pool();
  let count = 0;
  const add = (account: number, nonce: bigint, place: Place, size = 100): PoolEntry => {
    count++;
    const id = count.toString(16).padStart(64, "0");
    const admitted = {
      id,
      nonce,
      validUntil: 99,
      payer: `p${account}`,
      isSponsored: false,
      cost: 1n,
      encoded: new Uint8Array(size),
      source: "s",
    };
    const entry = pool.add(admitted, { hex: `a${account}`, nextNonce: nextNonces[account] ?? 0n });
    entry.place = place;
    if (place === "kept" || place === "batched") entry.record = 0;
    return entry;
  };
  return { pool, add };
}

describe("flush plan", () => {
  test("plan: any open and kept transactions, each account's batched in nonce order without a gap", () => {
    const place = fc.constantFrom<Place>("open", "open", "kept", "batched");
    const item = fc.record({ account: fc.integer({ min: 0, max: 2 }), nonce: fc.integer({ min: 0, max: 8 }), place });
    fc.assert(
      fc.property(
        fc.array(item, { maxLength: 30 }),
        fc.array(fc.bigInt({ min: 0n, max: 3n }), { minLength: 3, maxLength: 3 }),
        (items, next) => {
          const { pool, add } = poolWith(next);
          const taken = new Set<string>();
          const entries = items.flatMap(({ account, nonce, place }) => {
            const name = `${account}:${nonce}`;
            if (BigInt(nonce) < (next[account] ?? 0n) || taken.has(name)) return [];
            taken.add(name);
            return [add(account, BigInt(nonce), place)];
          });
          const open = entries.filter(({ place }) => place === "open");
          const before = new Map(entries.map((entry) => [entry, entry.place]));
          const released = entries.flatMap((entry) => (entry.place === "kept" ? [entry.account] : []));
          const plan = planFlush(open, released, 4, CLOCK);
          const batched = plan.batches.flat();
          for (const account of new Set(entries.map((entry) => entry.account))) {
            const run = batched.filter((entry) => entry.account === account).map(({ nonce }) => nonce);
            expect(run).toEqual(run.toSorted((a, b) => (a < b ? -1 : 1)));
            const held = new Set([...run, ...account.entries.filter((entry) => before.get(entry) === "batched").map(({ nonce }) => nonce)]);
            for (const nonce of run) for (let n = account.nextNonce; n < nonce; n++) expect(held.has(n)).toBe(true);
            // Whatever could be taken was: the run ends at a nonce that nothing held or waiting here has.
            let end = account.nextNonce;
            while (held.has(end)) end++;
            expect(account.withNonce(end)).toEqual([]);
          }
          expect(new Set([...batched, ...plan.kept.flat()])).toEqual(new Set([...open, ...batched]));
          expect([...plan.rest, ...plan.cut]).toEqual([]);
          expect(batched.every((entry) => entry.place === "flushing")).toBe(true);
          expect(pool.count).toBe(entries.length);
        },
      ),
    );
  });

  test("plan: more than the batches hold, the rest stays open and its account is named", () => {
    const { add } = poolWith([0n]);
    const open = Array.from({ length: LIMITS.batchTransactionsMax + 5 }, (_, i) => add(0, BigInt(i), "open", 10));
    const plan = planFlush(open, [], 1, CLOCK);
    expect(plan.batches.map(({ length }) => length)).toEqual([LIMITS.batchTransactionsMax]);
    expect(plan.rest).toEqual(open.slice(-5));
    expect(plan.cut.length).toBe(1);
    expect(planFlush(plan.rest, plan.cut, 1, CLOCK).batches).toEqual([open.slice(-5)]);
  });

  test("plan: large transactions, no batch above its bytes", () => {
    const { add } = poolWith([0n]);
    const open = Array.from({ length: 40 }, (_, i) => add(0, BigInt(i), "open", 16_000));
    const sizes = planFlush(open, [], 9, CLOCK).batches.map((batch) => batch.reduce((sum, { encoded }) => sum + encoded.length + 3, 128));
    expect(sizes.length).toBe(3);
    for (const size of sizes) expect(size).toBeLessThanOrEqual(LIMITS.batchBytesMax);
  });

  test("plan: a skipped transaction, batched again only when its wait is over by height or by time", () => {
    const { add } = poolWith([0n]);
    const entry = add(0, 0n, "kept");
    entry.skips = 1;
    entry.retryHeight = 12;
    entry.retryAtMs = 2_000;
    expect(planFlush([], [entry.account], 1, CLOCK).batches).toEqual([]);
    expect(planFlush([], [entry.account], 1, { height: 12, nowMs: 0 }).batches).toEqual([[entry]]);
    entry.place = "kept";
    expect(planFlush([], [entry.account], 1, { height: 0, nowMs: 2_000 }).batches).toEqual([[entry]]);
  });

  test("plan: a front that cannot execute, kept with all behind it, while its replacement goes on", () => {
    const { add } = poolWith([0n]);
    const stalled = add(0, 0n, "kept");
    const behind = add(0, 1n, "kept");
    stalled.isStalled = true;
    expect(planFlush([], [stalled.account], 1, CLOCK).batches).toEqual([]);
    const replacement = add(0, 0n, "open");
    expect(planFlush([replacement], [], 1, CLOCK).batches).toEqual([[replacement, behind]]);
  });

  test("chunks: entries to write again, split like batches", () => {
    const { add } = poolWith([0n]);
    const entries = Array.from({ length: 20 }, (_, i) => add(0, BigInt(i), "kept", 16_000));
    expect(chunked(entries).map(({ length }) => length)).toEqual([16, 4]);
    expect(entries.every(({ place }) => place === "kept")).toBe(true);
  });
});
