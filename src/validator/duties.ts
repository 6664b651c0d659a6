import type { CoreStatus } from "../consensus/index.ts";
import { assert } from "../kernel/index.ts";
import { type Certificate, type LeaderSchedule, parseBitmap, type ValidatorSet } from "../protocol/index.ts";

/** What a validator has to do next and did last, for status pages; derived from what everyone can see. */
export type Duties = {
  /** Views of the current epoch, from the current one on, that it leads. */
  readonly leads: readonly number[];
  /** Whether it leads the current view. */
  readonly isLeading: boolean;
};

/**
 * The duties of a member in the current epoch. Finds `count` views to lead, or fewer when the schedule gives it none for
 * a long while.
 *
 * @param member index in the set
 * @param count 0 to 100
 */
export function dutiesOf(
  status: Pick<CoreStatus, "epoch" | "view">,
  set: ValidatorSet,
  leaderOf: LeaderSchedule,
  member: number,
  count: number,
): Duties {
  assert(member >= 0 && member < set.validators.length && count >= 0 && count <= 100, "duties are asked for a member, up to 100 views");
  const leads: number[] = [];
  const lastView = status.view + 8 * set.validators.length * Math.max(1, count);
  for (let view = status.view; view < lastView && leads.length < count; view++) {
    if (leaderOf(set, status.epoch, view) === member) leads.push(view);
  }
  return { leads, isLeading: leaderOf(set, status.epoch, status.view) === member };
}

/** Members whose votes a certificate of their epoch holds, and those it lacks: who did their duty in it, as far as it shows. */
export function attendanceOf(
  certificate: Certificate,
  set: ValidatorSet,
): { readonly signed: readonly number[]; readonly absent: readonly number[] } {
  const signed = parseBitmap(certificate.bitmap, set.validators.length) ?? [];
  const absent = set.validators.map((_, index) => index).filter((index) => !signed.includes(index));
  return { signed, absent };
}
