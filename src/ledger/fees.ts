import { assert } from "../kernel/index.ts";
import type { ExecutionContext } from "./context.ts";
import { epochOf } from "./entries.ts";
import type { WorkingSet } from "./working-set.ts";

/**
 * Disposes of a block's fees at its end, by the genesis policy: destroyed, or put into the epoch's pot, which is shared
 * among the validators when the epoch ends.
 */
export function collectFees(working: WorkingSet, context: ExecutionContext, fees: bigint): void {
  assert(fees >= 0n, "fees are not negative");
  if (fees === 0n) return;
  if (context.parameters.feePolicy === "burn") {
    working.burn(fees);
    return;
  }
  const entry = epochOf(working);
  working.setEpoch({ ...entry, feePot: entry.feePot + fees });
}
