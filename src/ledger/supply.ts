import type { StateEntry } from "../protocol/index.ts";

/** Totals of a whole state. The supply is conserved exactly when `balances + staked + feePot + burned = issued`. */
export type SupplyAudit = {
  readonly accounts: number;
  readonly balances: bigint;
  /** In the pools of validators, unbonding units included. */
  readonly staked: bigint;
  /** Fees that wait to be shared. */
  readonly feePot: bigint;
  readonly issued: bigint;
  readonly burned: bigint;
};

/** Adds up every entry of a state; for tests and offline checks, since a block's own check costs nothing extra. */
export function auditSupply(entries: Iterable<StateEntry>): SupplyAudit {
  const audit = { accounts: 0, balances: 0n, staked: 0n, feePot: 0n, issued: 0n, burned: 0n };
  for (const entry of entries) {
    if (entry.kind === "account") {
      audit.accounts += 1;
      audit.balances += entry.balance;
    } else if (entry.kind === "validator") audit.staked += entry.stake + entry.unbondingStake;
    else if (entry.kind === "epoch") audit.feePot += entry.feePot;
    else if (entry.kind === "supply") {
      audit.issued += entry.issued;
      audit.burned += entry.burned;
    }
  }
  return audit;
}
