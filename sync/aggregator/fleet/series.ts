import type { NodeWord } from "./word.ts";

/** Points of a series at most, whatever is asked for. */
export const SERIES_POINTS_MAX = 500;

/** A figure over time: for each moment that has it the least, mean and greatest value in its slot. */
export type SeriesPoint = { readonly atMs: number; readonly min: number; readonly mean: number; readonly max: number };

/** Figures over time by name. */
export type Series = Readonly<Record<string, readonly SeriesPoint[]>>;

/** The figures that every heartbeat has, by the names they have as series. */
function figuresOf(word: NodeWord): Readonly<Record<string, number>> {
  const { height, peers, unacknowledgedMs, timeMs, receivedAtMs } = word;
  return { ...word.figures, height, peers, unacknowledgedMs, clockOffsetMs: timeMs - receivedAtMs };
}

/**
 * Words as series, in at most `points` slots of equal length between two moments. A slot without a word has no point: a gap stays a gap.
 *
 * @param words in the order they came
 */
export function seriesOf(words: readonly NodeWord[], fromMs: number, toMs: number, points: number): Series {
  const slotMs = Math.max(1, Math.ceil((toMs - fromMs + 1) / Math.min(points, SERIES_POINTS_MAX)));
  const series: Record<string, { slot: number; sum: number; count: number; atMs: number; min: number; max: number }[]> = {};
  for (const word of words) {
    if (word.receivedAtMs < fromMs || word.receivedAtMs > toMs) continue;
    const slot = Math.floor((word.receivedAtMs - fromMs) / slotMs);
    for (const [name, value] of Object.entries(figuresOf(word))) {
      series[name] ??= [];
      const last = series[name].at(-1);
      if (last?.slot === slot) {
        last.sum += value;
        last.count++;
        last.min = Math.min(last.min, value);
        last.max = Math.max(last.max, value);
        last.atMs = word.receivedAtMs;
      } else series[name].push({ slot, sum: value, count: 1, atMs: word.receivedAtMs, min: value, max: value });
    }
  }
  return Object.fromEntries(
    Object.entries(series).map(([name, slots]) => [
      name,
      slots.map(({ atMs, min, max, sum, count }) => ({ atMs, min, mean: sum / count, max })),
    ]),
  );
}
