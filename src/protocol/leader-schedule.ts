import { assert } from "../kernel/index.ts";
import { REPUTATION_MAX, type ValidatorSet } from "./validator-set.ts";

/** Who leads a view: an index in the epoch's set. Deterministic, the same on every node. */
export type LeaderSchedule = (set: ValidatorSet, epoch: number, view: number) => number;

/** Slots that a cycle has for each member on average before it is cut down, and about its least length: how fine shares are. */
const SLOTS_PER_MEMBER_MIN = 16;
const SLOTS_MIN = 256;

const CYCLES = new WeakMap<ValidatorSet, readonly number[]>();

/**
 * The leader of a view: leaders follow one cycle of slots, computed once a set, and each epoch begins one slot further
 * on. With equal members it is plain rotation.
 *
 * @see consensus R12, docs/validators.md
 */
export const leaderBySlots: LeaderSchedule = (set, epoch, view) => {
  const cycle = leaderCycleOf(set);
  const leader = cycle[(epoch + view) % cycle.length];
  assert(leader !== undefined, "a cycle has a leader for every view");
  return leader;
};

/**
 * The cycle of leaders of a set, as indexes in it. A member's slots are proportional to
 * weight x (10,000 + reputation), by largest remainder, and at least one; equal members have one each. Slot k of s in a
 * cycle of L lies at a position from floor(kL/s) up to below ceil((k+1)L/s), so that no run of views holds more or fewer
 * of a member's slots than its share by two. Work is bounded by 2,176 slots x 128 members, once a set.
 */
export function leaderCycleOf(set: ValidatorSet): readonly number[] {
  const known = CYCLES.get(set);
  if (known) return known;
  const cycle = spread(slotCountsOf(set));
  CYCLES.set(set, cycle);
  return cycle;
}

/** Slots a member, in the order of the set, without common divisor. */
function slotCountsOf({ validators }: ValidatorSet): number[] {
  const shares = validators.map(({ weight, reputation }) => weight * BigInt(REPUTATION_MAX + reputation));
  const total = shares.reduce((sum, share) => sum + share, 0n);
  const slots = BigInt(slotsWantedFor(validators.length));
  const counts = shares.map((share) => Number((share * slots) / total));
  const left = Number(slots) - sumOf(counts);
  assert(left >= 0 && left < validators.length, "rounding down leaves less than one slot a member over");
  const byRemainder = shares
    .map((share, index) => ({ index, remainder: (share * slots) % total }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  for (const { index } of byRemainder.slice(0, left)) counts[index] = (counts[index] ?? 0) + 1;
  const everyone = counts.map((count) => Math.max(1, count));
  const divisor = everyone.reduce(divisorOf);
  return everyone.map((count) => count / divisor);
}

/** A multiple of the members, so that equal ones have equal counts. */
function slotsWantedFor(memberCount: number): number {
  return memberCount * Math.max(SLOTS_PER_MEMBER_MIN, wholePart(SLOTS_MIN + memberCount - 1, memberCount));
}

/**
 * Puts the slots in order: at each position, of the slots whose span has begun, the one whose span ends first. The spans
 * fill the cycle exactly, so this finds a place inside its span for every slot, as earliest deadline first does for any
 * unit jobs that one machine can do in time.
 */
function spread(counts: readonly number[]): number[] {
  const length = sumOf(counts);
  const placed = counts.map(() => 0);
  const cycle: number[] = [];
  while (cycle.length < length) {
    let next = -1;
    let nextEnd = Number.POSITIVE_INFINITY;
    for (const [member, count] of counts.entries()) {
      const slot = placed[member] ?? 0;
      const end = wholePart((slot + 1) * length + count - 1, count);
      if (slot < count && wholePart(slot * length, count) <= cycle.length && end < nextEnd) {
        next = member;
        nextEnd = end;
      }
    }
    assert(next >= 0 && nextEnd > cycle.length, "every slot has a place inside its span");
    placed[next] = (placed[next] ?? 0) + 1;
    cycle.push(next);
  }
  return cycle;
}

/** The quotient rounded towards zero, in whole numbers all the way. */
function wholePart(dividend: number, divisor: number): number {
  return (dividend - (dividend % divisor)) / divisor;
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b);
}
