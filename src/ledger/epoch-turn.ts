import { assert, bytesEqual } from "../kernel/index.ts";
import type { EpochEntry, GenesisParameters, ValidatorEntry, ValidatorSet } from "../protocol/index.ts";
import { openTallies } from "./attendance.ts";
import type { ExecutionContext } from "./context.ts";
import { epochOf, findValidator, registryOf } from "./entries.ts";
import { turnParameters } from "./governance.ts";
import { chooseNextSet, idOfMember } from "./next-members.ts";
import { parametersOf } from "./parameters.ts";
import { reputationAfter, reputationAtRest } from "./reputation.ts";
import { rewardValidator } from "./staking.ts";
import type { WorkingSet } from "./working-set.ts";

/** Header time that passes between two ends of epochs that were forced. */
const FORCED_END_PAUSE_MS = 60_000;

/**
 * Why a block is the last of its epoch, or undefined when it is not. `due`: the epoch has its number of blocks with it, or
 * its span of header time is over at it. `forced`: a rotation of a member's key or a member's conviction asks for it, and
 * the last forced end is a minute ago; until then the wish waits in the state.
 *
 * @see consensus R12
 */
export function epochEndOf(entry: EpochEntry, context: ExecutionContext): "due" | "forced" | undefined {
  const { height, timeMs, epochStart, parameters } = context;
  if (height - epochStart.height >= parameters.epochBlocks || timeMs - epochStart.timeMs >= parameters.epochMs) return "due";
  return entry.isEndForced && timeMs - entry.lastForcedTimeMs >= FORCED_END_PAUSE_MS ? "forced" : undefined;
}

/**
 * Ends the epoch at its last block, whose transactions are done and whose attendance is counted: fees are shared, standing
 * and sentences are settled, rotations and parameters that are due take effect, the next set is chosen, and the epoch
 * that begins has counted nothing.
 *
 * @param genesis the parameters of genesis
 * @returns the next epoch's set
 */
export function turnEpoch(working: WorkingSet, context: ExecutionContext, genesis: GenesisParameters, isForced: boolean): ValidatorSet {
  const entry = epochOf(working);
  const epoch = context.epoch + 1;
  const feePot = shareFees(working, context, entry.feePot);
  settleMembers(working, context, entry);
  settleOthers(working, context, entry.certificates);
  turnParameters(working, genesis, epoch);
  const set = chooseNextSet(working, context.validatorSet, epoch, parametersOf(working, genesis));
  pruneRegistry(working, set);
  const lastForcedTimeMs = isForced ? context.timeMs : entry.lastForcedTimeMs;
  const opened = { feePot, isEndForced: false, lastForcedTimeMs, certificates: 0, tallies: openTallies(set.validators.length) };
  working.setEpoch({ kind: "epoch", ...opened });
  return set;
}

/**
 * Shares the pot among the set by weight, each share rounded down: the commission to the owner, the rest to the stake, or
 * all to the owner where nobody has a bond. A jailed member gets nothing.
 *
 * @returns what is left for the next epoch: what rounding leaves over, and the shares of those jailed
 */
function shareFees(working: WorkingSet, { validatorSet, epoch }: ExecutionContext, pot: bigint): bigint {
  let left = pot;
  if (pot === 0n) return left;
  for (const member of validatorSet.validators) {
    const id = idOfMember(working, member);
    const entry = findValidator(working, id);
    const share = (pot * member.weight) / validatorSet.totalWeight;
    if (entry === undefined || entry.jailedUntilEpoch > epoch || share === 0n) continue;
    const commission = (share * BigInt(entry.commission)) / 10_000n;
    const rewarded = rewardValidator(entry, share - commission);
    if (rewarded !== undefined) working.setValidator(id, rewarded);
    const toOwner = rewarded === undefined ? share : commission;
    if (toOwner > 0n) working.credit(working.account(entry.owner), toOwner);
    left -= share;
  }
  assert(left >= 0n && left <= pot, "no more is shared than was collected");
  return left;
}

/** What each member did becomes part of its reputation; a sentence leaves none, whatever was done before it. */
function settleMembers(working: WorkingSet, { validatorSet, epoch }: ExecutionContext, { tallies, certificates }: EpochEntry): void {
  for (const [index, member] of validatorSet.validators.entries()) {
    const id = idOfMember(working, member);
    const entry = findValidator(working, id);
    const tally = tallies[index];
    if (entry === undefined || tally === undefined) continue;
    const isJailed = entry.jailedUntilEpoch > epoch;
    const reputation = isJailed ? entry.reputation : reputationAfter(entry.reputation, tally, certificates);
    working.setValidator(id, turned({ ...entry, reputation }, epoch + 1));
  }
}

/** Validators outside the set regain standing, and their sentences and keys turn as those of members do. */
function settleOthers(working: WorkingSet, { validatorSet, epoch }: ExecutionContext, certificates: number): void {
  const seated = validatorSet.validators.map((member) => idOfMember(working, member));
  for (const id of registryOf(working)) {
    const entry = seated.some((other) => bytesEqual(other, id)) ? undefined : findValidator(working, id);
    if (entry === undefined) continue;
    const after = turned({ ...entry, reputation: reputationAtRest(entry.reputation, certificates) }, epoch + 1);
    if (isChanged(entry, after)) working.setValidator(id, after);
  }
}

/** A validator at the start of an epoch: a key that is due signs, a sentence that is over is forgotten. */
function turned(entry: ValidatorEntry, epoch: number): ValidatorEntry {
  const jailedUntilEpoch = entry.jailedUntilEpoch > epoch ? entry.jailedUntilEpoch : 0;
  const { next, ...rest } = entry;
  if (next === undefined || next.effectiveEpoch > epoch) return { ...entry, jailedUntilEpoch };
  return { ...rest, jailedUntilEpoch, signingKey: next.signingKey, term: next.term };
}

function isChanged(before: ValidatorEntry, after: ValidatorEntry): boolean {
  return before.term !== after.term || before.jailedUntilEpoch !== after.jailedUntilEpoch || before.reputation !== after.reputation;
}

/** Lets go of validators in which nobody has anything bonded any more; the others are listed, so that their bonds are found. */
function pruneRegistry(working: WorkingSet, set: ValidatorSet): void {
  const ids = registryOf(working);
  const seated = set.validators.map((member) => idOfMember(working, member));
  const kept = ids.filter((id) => {
    const entry = findValidator(working, id);
    const isIdle = entry === undefined || (entry.stake === 0n && entry.unbondingStake === 0n);
    return !isIdle || seated.some((other) => bytesEqual(other, id));
  });
  if (kept.length < ids.length) working.setRegistry(kept);
}
