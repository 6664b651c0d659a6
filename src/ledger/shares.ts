import { assert } from "../kernel/index.ts";
import { U64_MAX } from "../protocol/index.ts";

/**
 * Units held together, owned by shares: the price of a share is units / shares. Whoever joins gets shares at that price,
 * whoever leaves gives them up at it; slashing lowers it and rewards raise it, for all alike, without touching a bond.
 *
 * A pool has units exactly when it has shares. Every division is rounded so that what leaves never exceeds what its shares
 * are worth and what joins pays for its shares in full: rounding favours the pool, and no unit is made by it.
 */
export type Pool = { readonly units: bigint; readonly shares: bigint };

/** What joining costs and gives: `cost` of the stated amount is taken, at most one share's price less than it. */
export type Purchase = { readonly pool: Pool; readonly shares: bigint; readonly cost: bigint };

/** What leaving takes and gives. */
export type Redemption = { readonly pool: Pool; readonly shares: bigint; readonly units: bigint };

/** Slashes are given in parts of this. */
const MYRIAD = 10_000n;

/**
 * Buys as many whole shares as an amount pays for, and takes what these cost, rounded up: the rest stays with the buyer.
 *
 * @returns `amountTooSmall` when the amount pays for no share, `balanceOverflow` when the shares would exceed 64 bits
 */
export function buyShares(pool: Pool, amount: bigint): Purchase | "amountTooSmall" | "balanceOverflow" {
  assertPool(pool);
  const shares = pool.shares === 0n ? amount : (amount * pool.shares) / pool.units;
  if (shares === 0n) return "amountTooSmall";
  if (pool.shares + shares > U64_MAX) return "balanceOverflow";
  const cost = pool.shares === 0n ? amount : ceilDiv(shares * pool.units, pool.shares);
  assert(cost > 0n && cost <= amount, "shares cost something, and no more than was offered");
  return { pool: { units: pool.units + cost, shares: pool.shares + shares }, shares, cost };
}

/** What shares of a pool are worth: rounded down, all units when they are all of them. */
export function worthOf(pool: Pool, shares: bigint): bigint {
  assert(shares <= pool.shares, "shares are part of their pool");
  return pool.shares === 0n ? 0n : (shares * pool.units) / pool.shares;
}

/**
 * Gives up as few of the owned shares as are worth an amount, and pays all that they are worth, which is less than one
 * share's price above it. An amount that equals the worth of all that is owned takes all, so that no share is left over.
 *
 * @returns undefined when what is owned is worth less than the amount
 */
export function redeemUnits(pool: Pool, owned: bigint, amount: bigint): Redemption | undefined {
  const worth = worthOf(pool, owned);
  if (amount > worth) return undefined;
  return redeemShares(pool, amount === worth ? owned : ceilDiv(amount * pool.shares, pool.units));
}

/** Gives up shares for what they are worth. */
export function redeemShares(pool: Pool, shares: bigint): Redemption {
  assertPool(pool);
  const units = worthOf(pool, shares);
  const after = { units: pool.units - units, shares: pool.shares - shares };
  assertPool(after);
  return { pool: after, shares, units };
}

/** Takes a part of a pool's units, in 1/10,000 below 10,000, rounded down, so that a pool with shares keeps units. */
export function slashPool(pool: Pool, perMyriad: number): { readonly pool: Pool; readonly slashed: bigint } {
  assert(Number.isInteger(perMyriad) && perMyriad >= 0 && perMyriad < 10_000, "a slash takes a part of a pool, never all of it");
  const slashed = (pool.units * BigInt(perMyriad)) / MYRIAD;
  const after = { units: pool.units - slashed, shares: pool.shares };
  assertPool(after);
  return { pool: after, slashed };
}

function assertPool({ units, shares }: Pool): void {
  assert(units >= 0n && shares >= 0n && units > 0n === shares > 0n, "a pool has units exactly when it has shares");
}

function ceilDiv(numerator: bigint, denominator: bigint): bigint {
  return (numerator + denominator - 1n) / denominator;
}
