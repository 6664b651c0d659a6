/**
 * Floor 3. What a transaction does. Pure functions of (state, block): no clock, no randomness, no floating point, no
 * map order in anything agreed, no input or output.
 *
 * Invariants: execution is total (any decoded transactions give a result); a transaction executes at most once, its
 * sender's nonces in order; a failed one pays its fee and changes nothing else, a skipped one leaves no trace; the supply
 * is conserved, checked after every block.
 *
 * Never verifies a transaction's signature (admission and batch verification did), never stores, never decides what
 * goes into a block.
 */
export * from "./admission.ts";
export * from "./context.ts";
export {
  type Accusation,
  accusationOf,
  type ConvictedEffect,
  type EvidenceRefusal,
  type EvidenceTerms,
  judgeEvidence,
} from "./conviction.ts";
export * from "./effects.ts";
export * from "./entries.ts";
export * from "./execute.ts";
export * from "./genesis-entries.ts";
export { turnParameters } from "./governance.ts";
export * from "./parameters.ts";
export * from "./shares.ts";
export * from "./sponsorship.ts";
export { isReleased, rewardValidator, slashValidator, stakePoolOf, unbondingPoolOf } from "./staking.ts";
export * from "./supply.ts";
export * from "./view.ts";
