import { BOUNDS } from "./bounds.ts";

/**
 * How long each validator has been silent, counted in certified views, so that an idle chain silences nobody.
 *
 * @see consensus R10
 */
export type Attendance = {
  /** Views certified since the epoch began here, plus what was carried over. */
  certifiedViews: number;
  /** By signer: `certifiedViews` when a new vote of it was last seen. */
  readonly lastHeard: number[];
};

/** A fresh attendance in which everyone was just heard. */
export function newAttendance(memberCount: number): Attendance {
  return { certifiedViews: 0, lastHeard: Array.from({ length: memberCount }, () => 0) };
}

/** Notes a new vote of this signer. */
export function noteHeard(attendance: Attendance, signer: number): void {
  attendance.lastHeard[signer] = attendance.certifiedViews;
}

/** Whether this leader gets deadline 0: not one vote of it in the last 32 certified views. */
export function isSkipListed(attendance: Attendance, leader: number): boolean {
  return attendance.certifiedViews - (attendance.lastHeard[leader] ?? 0) >= BOUNDS.leaderSkipViews;
}
