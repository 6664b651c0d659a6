import { assert } from "../kernel/index.ts";
import { type MemberTally, REPUTATION_MAX } from "../protocol/index.ts";
import { REPUTATION_AT_REGISTRATION } from "./validators.ts";

/** Certificates from which on an epoch counts in full: a shorter one, say one that was forced to end, counts in proportion. */
const FULL_EPOCH_CERTIFICATES = 64;
/** An epoch that counts in full moves reputation a quarter of the way to its score. */
const EPOCHS_TO_FORGET = 4;
/** Votes in one of so many certificates are all that is asked: a certificate holds the first votes of weight Q, not all. */
const CERTIFICATES_PER_VOTE = 4;
/** A validator outside the set regains an eighth of what it lacks to what it began with in an epoch that counts in full. */
const EPOCHS_TO_REGAIN = 8;

/**
 * What a member did in an epoch, 0 to 10,000: three quarters for the share of its turns in which a block of its came to
 * stand in the chain, one quarter for voting. Undefined when the epoch shows nothing of it.
 *
 * @param certificates parent certificates that were counted in the epoch
 */
function scoreOf({ proposed, missed, votes }: MemberTally, certificates: number): number | undefined {
  if (certificates === 0) return undefined;
  const voting = Math.min(REPUTATION_MAX, wholePart(votes * CERTIFICATES_PER_VOTE * REPUTATION_MAX, certificates));
  const turns = proposed + missed;
  if (turns === 0) return voting;
  return wholePart(3 * wholePart(proposed * REPUTATION_MAX, turns) + voting, 4);
}

/**
 * A member's reputation after an epoch: moved towards the epoch's score by a quarter of the way, or by less of it when the
 * epoch was short. Steps are rounded up, so that a steady score is reached.
 *
 * @see docs/validators.md
 */
export function reputationAfter(before: number, tally: MemberTally, certificates: number): number {
  const score = scoreOf(tally, certificates);
  if (score === undefined) return before;
  const step = stepOver(Math.abs(score - before), certificates, EPOCHS_TO_FORGET);
  const after = score > before ? before + step : before - step;
  assert(after >= 0 && after <= REPUTATION_MAX, "a reputation stays within 0 to 10,000");
  return after;
}

/**
 * The reputation of a validator outside the set after one more epoch: what it lost comes back slowly, up to what it began
 * with, and no faster by epochs that are forced to end.
 */
export function reputationAtRest(before: number, certificates: number): number {
  return before + stepOver(Math.max(0, REPUTATION_AT_REGISTRATION - before), certificates, EPOCHS_TO_REGAIN);
}

/** The part of a gap that an epoch closes: one of so many when it counts in full; rounded up. */
function stepOver(gap: number, certificates: number, parts: number): number {
  const divisor = FULL_EPOCH_CERTIFICATES * parts;
  return wholePart(gap * Math.min(certificates, FULL_EPOCH_CERTIFICATES) + divisor - 1, divisor);
}

/** The quotient of natural numbers, rounded down, in whole numbers all the way. */
function wholePart(dividend: number, divisor: number): number {
  assert(Number.isSafeInteger(dividend) && dividend >= 0, "what is divided is a natural number");
  return (dividend - (dividend % divisor)) / divisor;
}
