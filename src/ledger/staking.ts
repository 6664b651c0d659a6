import { assert } from "../kernel/index.ts";
import {
  type BondEntry,
  LIMITS,
  type ReceiptCode,
  type StakeBody,
  U64_MAX,
  type UnbondingTranche,
  type ValidatorEntry,
} from "../protocol/index.ts";
import type { ExecutionContext } from "./context.ts";
import type { Effect } from "./effects.ts";
import { findBond, findValidator } from "./entries.ts";
import { enterRegistry } from "./registry.ts";
import { buyShares, type Pool, type Redemption, redeemShares, redeemUnits, slashPool } from "./shares.ts";
import type { WorkingSet } from "./working-set.ts";

/** Whole epochs that unbonding outlasts, whatever their length. */
export const UNBONDING_EPOCHS = 2;

/** The pool that a validator's bonds own shares of. */
export function stakePoolOf({ stake, shares }: ValidatorEntry): Pool {
  return { units: stake, shares };
}

/** The pool that what is unbonding from a validator owns shares of. */
export function unbondingPoolOf({ unbondingStake, unbondingShares }: ValidatorEntry): Pool {
  return { units: unbondingStake, shares: unbondingShares };
}

/** A validator with other pools. */
function withPools(entry: ValidatorEntry, stake: Pool, unbonding: Pool): ValidatorEntry {
  const pools = { stake: stake.units, shares: stake.shares, unbondingStake: unbonding.units, unbondingShares: unbonding.shares };
  return { ...entry, ...pools };
}

/** A validator that lost a part of its stake and of what unbonds, in 1/10,000 below 10,000, and the units lost: the caller burns them. */
export function slashValidator(entry: ValidatorEntry, perMyriad: number): { readonly entry: ValidatorEntry; readonly slashed: bigint } {
  const staked = slashPool(stakePoolOf(entry), perMyriad);
  const unbonding = slashPool(unbondingPoolOf(entry), perMyriad);
  return { entry: withPools(entry, staked.pool, unbonding.pool), slashed: staked.slashed + unbonding.slashed };
}

/** A validator whose stake grew by a reward, for all who bonded to it alike; undefined when nobody did. */
export function rewardValidator(entry: ValidatorEntry, amount: bigint): ValidatorEntry | undefined {
  assert(amount >= 0n, "a reward is not negative");
  return entry.shares === 0n ? undefined : { ...entry, stake: entry.stake + amount };
}

/** Whether a part that unbonds may be withdrawn: both its epoch and its header time have come. */
export function isReleased(tranche: UnbondingTranche, epoch: number, timeMs: number): boolean {
  return epoch >= tranche.releaseEpoch && timeMs >= tranche.releaseTimeMs;
}

/** Stakes (8), unstakes (9) or withdraws (10). For the latter two the greatest amount of 64 bits means all there is. */
export function applyStaking(
  working: WorkingSet,
  context: ExecutionContext,
  staker: Uint8Array,
  body: StakeBody,
  effects: Effect[],
): ReceiptCode {
  const entry = findValidator(working, body.validator);
  if (entry === undefined) return "notRegistered";
  if (body.amount === 0n) return "amountTooSmall";
  const none: BondEntry = { kind: "bond", validator: body.validator, staker, shares: 0n, tranches: [] };
  const bond = findBond(working, body.validator, staker) ?? none;
  const move: BondMove = { working, context, entry, bond, amount: body.amount, effects };
  if (body.type === 8) return stake(move);
  return body.type === 9 ? unstake(move) : withdraw(move);
}

/** What a bond's owner asks for, with what it is done on: each of the three either does all of it or changes nothing. */
type BondMove = {
  readonly working: WorkingSet;
  readonly context: ExecutionContext;
  /** The validator as it stands. */
  readonly entry: ValidatorEntry;
  /** What the staker has there; an empty one where nothing was bonded yet. */
  readonly bond: BondEntry;
  /** Units, above 0. */
  readonly amount: bigint;
  readonly effects: Effect[];
};

/** A validator's stake must reach the minimum with it, so that a place on the list of validators has its price. */
function stake({ working, context, entry, bond, amount, effects }: BondMove): ReceiptCode {
  const { validator, staker } = bond;
  if (entry.isExiting) return "validatorExiting";
  const account = working.account(staker);
  if (account.balance < amount) return "insufficientFunds";
  const purchase = buyShares(stakePoolOf(entry), amount);
  if (typeof purchase === "string") return purchase;
  const { pool, shares, cost } = purchase;
  if (pool.units < context.parameters.minimumStake) return "amountTooSmall";
  if (!enterRegistry(working, context.validatorSet, validator, pool.units)) return "limitReached";
  working.debit(account, cost);
  working.setValidator(validator, withPools(entry, pool, unbondingPoolOf(entry)));
  working.setBond(validator, staker, { ...bond, shares: bond.shares + shares });
  effects.push({ kind: "staked", staker, validator, amount: cost });
  return "applied";
}

/** What is unstaked leaves the stake at once and stays liable to slashing until it is released. */
function unstake({ working, context, entry, bond, amount, effects }: BondMove): ReceiptCode {
  const { validator, staker } = bond;
  const redemption = redeem(stakePoolOf(entry), bond.shares, amount);
  if (redemption === undefined) return "insufficientFunds";
  const left = { ...bond, shares: bond.shares - redemption.shares };
  if (redemption.units > 0n) {
    const purchase = buyShares(unbondingPoolOf(entry), redemption.units);
    if (typeof purchase === "string") return purchase;
    assert(purchase.cost === redemption.units, "a share of what unbonds costs one unit at most, so no part is left over");
    const tranches = withTranche(bond.tranches, {
      shares: purchase.shares,
      releaseEpoch: context.epoch + 1 + UNBONDING_EPOCHS,
      releaseTimeMs: context.timeMs + context.parameters.unbondingMs,
    });
    if (tranches === undefined) return "limitReached";
    working.setValidator(validator, withPools(entry, redemption.pool, purchase.pool));
    keepBond(working, { ...left, tranches });
  } else {
    working.setValidator(validator, withPools(entry, redemption.pool, unbondingPoolOf(entry)));
    keepBond(working, left);
  }
  effects.push({ kind: "unstaked", staker, validator, amount: redemption.units });
  return "applied";
}

/** Pays from the oldest released parts first. */
function withdraw({ working, context, entry, bond, amount, effects }: BondMove): ReceiptCode {
  const { validator, staker } = bond;
  const isFree = (tranche: UnbondingTranche): boolean => isReleased(tranche, context.epoch, context.timeMs);
  const released = bond.tranches.filter(isFree).reduce((sum, { shares }) => sum + shares, 0n);
  const redemption = redeem(unbondingPoolOf(entry), released, amount);
  if (redemption === undefined) return "insufficientFunds";
  let left = redemption.shares;
  const tranches: UnbondingTranche[] = [];
  for (const tranche of bond.tranches) {
    const isTakenWhole = tranche.shares < left;
    const taken = !isFree(tranche) ? 0n : isTakenWhole ? tranche.shares : left;
    left -= taken;
    if (tranche.shares > taken) tranches.push({ ...tranche, shares: tranche.shares - taken });
  }
  assert(left === 0n, "what is withdrawn comes from released parts");
  working.setValidator(validator, withPools(entry, stakePoolOf(entry), redemption.pool));
  keepBond(working, { ...bond, tranches });
  working.credit(working.account(staker), redemption.units);
  effects.push({ kind: "withdrawn", staker, validator, amount: redemption.units });
  return "applied";
}

/** Undefined when nothing is owned, or less than the amount. */
function redeem(pool: Pool, owned: bigint, amount: bigint): Redemption | undefined {
  if (owned === 0n) return undefined;
  return amount === U64_MAX ? redeemShares(pool, owned) : redeemUnits(pool, owned, amount);
}

/** One more part: joined with what was begun in the same epoch, which then waits as long; undefined when there are too many. */
function withTranche(tranches: readonly UnbondingTranche[], begun: UnbondingTranche): readonly UnbondingTranche[] | undefined {
  const last = tranches.at(-1);
  if (last?.releaseEpoch === begun.releaseEpoch) {
    const releaseTimeMs = Math.max(last.releaseTimeMs, begun.releaseTimeMs);
    return [...tranches.slice(0, -1), { ...begun, shares: last.shares + begun.shares, releaseTimeMs }];
  }
  return tranches.length < LIMITS.bondTranchesMax ? [...tranches, begun] : undefined;
}

/** A bond without shares and parts is no bond. */
function keepBond(working: WorkingSet, bond: BondEntry): void {
  const isEmpty = bond.shares === 0n && bond.tranches.length === 0;
  working.setBond(bond.validator, bond.staker, isEmpty ? undefined : bond);
}
