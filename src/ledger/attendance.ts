import { assert, present } from "../kernel/index.ts";
import { type EpochEntry, leaderBySlots, leaderCycleOf, type MemberTally, parseBitmap, type ValidatorSet } from "../protocol/index.ts";

/** What a block says of who did their duty. */
export type BlockAttendance = {
  readonly epoch: number;
  readonly view: number;
  /** View of the parent in the same epoch; 0 when the parent is genesis or the block that opened the epoch. */
  readonly parentView: number;
  /** Bitmap of the parent's certificate, by the set of the parent's epoch. */
  readonly parentBitmap: Uint8Array;
  /** Index of the proposer. */
  readonly leader: number;
};

/** A member of which nothing was counted. */
const NOTHING: MemberTally = { proposed: 0, missed: 0, votes: 0 };

/** An epoch that begins, for a set of so many members, with what the one before leaves to it. */
export function openTallies(memberCount: number): readonly MemberTally[] {
  return Array.from({ length: memberCount }, () => NOTHING);
}

/**
 * Adds one block to what its epoch has counted: its leader proposed it, the leaders of the views between its parent's and
 * its own missed theirs, and the parent's certificate, when it is of this epoch, holds the votes of its bitmap. All of it
 * is in final headers, so every node counts the same.
 */
export function countBlock(entry: EpochEntry, set: ValidatorSet, block: BlockAttendance): EpochEntry {
  const { epoch, view, parentView, parentBitmap, leader } = block;
  assert(parentView >= 0 && parentView < view, "a block stands in a later view than its parent");
  const members = set.validators.length;
  const tallies = (entry.tallies.length === members ? entry.tallies : openTallies(members)).map((tally) => ({ ...tally }));
  const proposer = tallies[leader];
  assert(proposer !== undefined, "a block's leader is a member of its set");
  proposer.proposed++;
  for (const [member, count] of missedViews(set, epoch, parentView + 1, view).entries())
    present(tallies[member], "a member").missed += count;
  if (parentView === 0) return { ...entry, tallies };
  for (const signer of parseBitmap(parentBitmap, members) ?? []) present(tallies[signer], "a signer is a member").votes++;
  return { ...entry, certificates: entry.certificates + 1, tallies };
}

/** How many of the views from one up to below another each member leads. Work is bounded by the cycle, not by the views. */
function missedViews(set: ValidatorSet, epoch: number, from: number, to: number): number[] {
  const counts = set.validators.map(() => 0);
  const cycle = leaderCycleOf(set);
  const wholeCycles = Math.floor((to - from) / cycle.length);
  if (wholeCycles > 0) for (const leader of cycle) counts[leader] = (counts[leader] ?? 0) + wholeCycles;
  for (let view = from + wholeCycles * cycle.length; view < to; view++) {
    const leader = leaderBySlots(set, epoch, view);
    counts[leader] = (counts[leader] ?? 0) + 1;
  }
  return counts;
}
