/** How much is kept: the newest backup of each of so many hours and days that have one, and whatever is younger than the last hour. */
export type Retention = { readonly hours: number; readonly days: number };

/** Any point in seven days, by snapshot and the blocks after it. */
export const RETENTION_DEFAULT: Retention = { hours: 24, days: 7 };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The backups that may go. The newest one always stays, whatever the clock says; ages count from it and not from the wall
 * clock, so a clock that jumps ahead lets go of nothing that it would not have.
 *
 * @param takenAtMs times of the backups, in any order
 * @returns those times that may go
 */
export function planRetention(takenAtMs: readonly number[], { hours, days }: Retention = RETENTION_DEFAULT): readonly number[] {
  const newestFirst = [...takenAtMs].sort((a, b) => b - a);
  const [newest] = newestFirst;
  if (newest === undefined) return [];
  const kept = new Set(newestFirst.filter((time) => newest - time < HOUR_MS));
  keepNewestOfEach(newestFirst, HOUR_MS, hours, kept);
  keepNewestOfEach(newestFirst, DAY_MS, days, kept);
  return newestFirst.filter((time) => !kept.has(time));
}

function keepNewestOfEach(newestFirst: readonly number[], spanMs: number, count: number, kept: Set<number>): void {
  const spans = new Set<number>();
  for (const time of newestFirst) {
    const span = Math.floor(time / spanMs);
    if (spans.has(span)) continue;
    if (spans.size === count) return;
    spans.add(span);
    kept.add(time);
  }
}
