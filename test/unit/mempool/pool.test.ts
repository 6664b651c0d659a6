import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { InvariantViolation } from "../../../src/kernel/index.ts";
import { Pool } from "../../../src/mempool/pool.ts";
import type { PoolEntry } from "../../../src/mempool/pool-entry.ts";

const step = fc.record({
  account: fc.integer({ min: 0, max: 2 }),
  nonce: fc.integer({ min: 0, max: 6 }),
  size: fc.integer({ min: 1, max: 9 }),
  cost: fc.bigInt({ min: 0n, max: 9n }),
  source: fc.constantFrom("", "x", "y"),
  isSponsored: fc.boolean(),
  validUntil: fc.integer({ min: 1, max: 4 }),
  removes: fc.boolean(),
  pick: fc.nat(),
});

describe("pool", () => {
  test("pool: any additions and removals, its sums and orders are those of what is in it", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const pool = new Pool();
        const live: PoolEntry[] = [];
        for (const [i, one] of steps.entries()) {
          if (one.removes && live.length > 0) {
            for (const gone of live.splice(one.pick % live.length, 1)) pool.remove(gone);
          } else {
            const admitted = {
              ...one,
              id: `id${i}`,
              nonce: BigInt(one.nonce),
              payer: `p${one.account % 2}`,
              encoded: new Uint8Array(one.size),
            };
            live.push(pool.add(admitted, { hex: `a${one.account}`, nextNonce: 2n }));
          }
          check(pool, live);
        }
        for (const entry of live) pool.remove(entry);
        expect([pool.count, pool.sizeBytes, pool.accountCount]).toEqual([0, 0, 0]);
      }),
    );
  });

  test("pool: one id twice, or a removal twice, an invariant violation", () => {
    const pool = new Pool();
    const admitted = {
      id: "i",
      nonce: 0n,
      validUntil: 1,
      payer: "p",
      isSponsored: false,
      cost: 1n,
      encoded: new Uint8Array(1),
      source: "s",
    };
    const sender = { hex: "a", nextNonce: 0n };
    const entry = pool.add(admitted, sender);
    expect(() => pool.add(admitted, sender)).toThrow(InvariantViolation);
    pool.remove(entry);
    expect(entry.place).toBe("gone");
    expect(() => pool.remove(entry)).toThrow(InvariantViolation);
  });
});

function check(pool: Pool, live: readonly PoolEntry[]): void {
  const total = (entries: readonly PoolEntry[]): number => entries.reduce((sum, { encoded }) => sum + encoded.length, 0);
  expect([pool.count, pool.sizeBytes]).toEqual([live.length, total(live)]);
  for (const payer of ["p0", "p1"]) {
    const reserved = live.filter((entry) => entry.payer === payer).reduce((sum, { cost }) => sum + cost, 0n);
    expect(pool.reservedOf(payer)).toBe(reserved);
  }
  for (const source of ["x", "y"]) {
    const own = live.filter((entry) => entry.source === source);
    expect(pool.usageOf(source)).toEqual({ count: own.length, sizeBytes: total(own) });
  }
  for (let height = 1; height <= 4; height++) {
    expect(new Set(pool.expiringAt(height))).toEqual(new Set(live.filter(({ validUntil }) => validUntil === height)));
  }
  for (const hex of ["a0", "a1", "a2"]) {
    const own = live.filter((entry) => entry.account.hex === hex);
    const account = pool.findAccount(hex);
    expect(account?.entries ?? []).toEqual(own.toSorted((a, b) => Number(a.nonce - b.nonce)));
    if (account === undefined) continue;
    const sponsored = own.filter(({ isSponsored }) => isSponsored);
    expect([account.sizeBytes, account.sponsoredCount, account.sponsoredSizeBytes]).toEqual([
      total(own),
      sponsored.length,
      total(sponsored),
    ]);
    let free = 2n;
    while (own.some(({ nonce }) => nonce === free)) free++;
    expect(account.freeNonce()).toBe(free);
    for (let nonce = 0n; nonce <= 6n; nonce++) expect(account.withNonce(nonce)).toEqual(own.filter((entry) => entry.nonce === nonce));
  }
}
