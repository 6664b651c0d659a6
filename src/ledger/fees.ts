import { assert, present } from "../kernel/index.ts";
import type { ExecutionContext } from "./context.ts";
import type { WorkingSet } from "./working-set.ts";

/**
 * Disposes of a block's fees at its end, by the genesis policy: destroyed, or shared among the owners of the epoch's
 * validators by weight, each share rounded down, and what rounding leaves over to the leader's owner.
 */
export function settleFees(working: WorkingSet, context: ExecutionContext, fees: bigint): void {
  assert(fees >= 0n, "fees are not negative");
  if (fees === 0n) return;
  if (context.parameters.feePolicy === "burn") {
    working.burn(fees);
    return;
  }
  const { validators, totalWeight } = context.validatorSet;
  let left = fees;
  for (const { owner, weight } of validators) {
    const share = (fees * weight) / totalWeight;
    if (share > 0n) working.credit(working.account(owner), share);
    left -= share;
  }
  assert(left >= 0n && left < BigInt(validators.length), "rounding leaves less than one unit a validator over");
  const leader = present(validators[context.leader], "a block's leader is a member of its set");
  if (left > 0n) working.credit(working.account(leader.owner), left);
}
