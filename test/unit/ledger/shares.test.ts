import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { buyShares, type Pool, redeemShares, redeemUnits, slashPool, worthOf } from "../../../src/ledger/shares.ts";
import { U64_MAX } from "../../../src/protocol/index.ts";

const units = fc.oneof(fc.bigInt(1n, 50n), fc.bigInt(1n, 10n ** 12n), fc.bigInt(1n, U64_MAX));
const pools: fc.Arbitrary<Pool> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ units: 0n, shares: 0n }) },
  { weight: 9, arbitrary: fc.record({ units, shares: units }) },
);

/** Whether a share of the second pool is worth at least one of the first; an empty pool has no price. */
const isNotCheaper = (before: Pool, after: Pool): boolean =>
  before.shares === 0n || after.shares === 0n || after.units * before.shares >= before.units * after.shares;

describe("shares", () => {
  test("shares: joining, paid in full, by less than one share's price below what was offered, and nobody else's worth falls", () => {
    fc.assert(
      fc.property(pools, units, (pool, amount) => {
        const purchase = buyShares(pool, amount);
        if (typeof purchase === "string") {
          const bought = pool.shares === 0n ? amount : (amount * pool.shares) / pool.units;
          expect(purchase === "amountTooSmall" ? bought === 0n : pool.shares + bought > U64_MAX).toBe(true);
          return;
        }
        const { cost, shares } = purchase;
        expect(purchase.pool).toEqual({ units: pool.units + cost, shares: pool.shares + shares });
        expect(cost <= amount && (amount - cost) * pool.shares <= pool.units).toBe(true);
        expect(isNotCheaper(pool, purchase.pool)).toBe(true);
        expect(worthOf(purchase.pool, shares) <= cost).toBe(true);
      }),
    );
  });

  test("shares: leaving, the amount asked for or less than one share's price more, and nobody else's worth falls", () => {
    fc.assert(
      fc.property(pools, fc.bigInt(1n, 100n), units, (pool, percent, amount) => {
        const owned = (pool.shares * percent) / 100n;
        const redemption = redeemUnits(pool, owned, amount);
        if (redemption === undefined) {
          expect(worthOf(pool, owned) < amount).toBe(true);
          return;
        }
        expect(redemption.shares <= owned && redemption.units >= amount).toBe(true);
        expect((redemption.units - amount) * pool.shares <= pool.units).toBe(true);
        expect(redemption.pool).toEqual({ units: pool.units - redemption.units, shares: pool.shares - redemption.shares });
        expect(isNotCheaper(pool, redemption.pool)).toBe(true);
      }),
    );
  });

  test("shares: all that is owned is asked for by its worth, no share is left over", () => {
    fc.assert(
      fc.property(pools, fc.bigInt(1n, 100n), (pool, percent) => {
        const owned = (pool.shares * percent) / 100n;
        if (owned === 0n) return;
        const redemption = redeemUnits(pool, owned, worthOf(pool, owned));
        expect(redemption?.shares).toBe(owned);
        expect(redemption?.units).toBe(worthOf(pool, owned));
      }),
    );
  });

  test("shares: joining and leaving at once, never a gain", () => {
    fc.assert(
      fc.property(pools, units, (pool, amount) => {
        const purchase = buyShares(pool, amount);
        if (typeof purchase === "string") return;
        expect(redeemShares(purchase.pool, purchase.shares).units <= purchase.cost).toBe(true);
      }),
    );
  });

  test("shares: a slash, its part rounded down, and never all of it", () => {
    fc.assert(
      fc.property(pools, fc.nat(9_999), (pool, perMyriad) => {
        const { pool: after, slashed } = slashPool(pool, perMyriad);
        expect(slashed).toBe((pool.units * BigInt(perMyriad)) / 10_000n);
        expect(after).toEqual({ units: pool.units - slashed, shares: pool.shares });
        expect(after.units > 0n).toBe(pool.units > 0n);
      }),
    );
  });

  test("shares: a pool that only unbonding joins, a share never costs more than a unit, so every unit joins", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("join"), amount: fc.bigInt(1n, 1_000n) }),
      fc.record({ kind: fc.constant("leave"), amount: fc.bigInt(1n, 400n) }),
      fc.record({ kind: fc.constant("slash"), amount: fc.bigInt(0n, 9_999n) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let pool: Pool = { units: 0n, shares: 0n };
        for (const { kind, amount } of steps) {
          if (kind === "slash") pool = slashPool(pool, Number(amount)).pool;
          else if (kind === "join") {
            const purchase = buyShares(pool, amount);
            if (typeof purchase === "string") return;
            expect(purchase.cost).toBe(amount);
            pool = purchase.pool;
          } else pool = redeemUnits(pool, pool.shares, amount)?.pool ?? pool;
          expect(pool.units <= pool.shares).toBe(true);
        }
      }),
    );
  });
});
