/** What planning needs of a run. Runs are in order of height. */
export type RunShape = { readonly fromHeight: number; readonly toHeight: number; readonly count: number };

/** Neighbouring runs of one level that are merged into one of the next. */
const FAN_IN = 8;

/** Entries below which a run is on level 0; each level above holds FAN_IN times more. */
const LEVEL_ZERO_ENTRIES = 32_768;

/**
 * The newest neighbouring runs that are worth merging, or undefined; a gap of heights is not merged over. Each entry is written again once per level, so
 * about log8(N / 32,768) times for N entries, and a look-up has at most FAN_IN - 1 runs per level to ask.
 *
 * @returns first and one past the last position in the list
 */
export function planMerge(runs: readonly RunShape[]): { readonly from: number; readonly to: number } | undefined {
  let to = runs.length;
  while (to > 0) {
    const level = levelOf(runs[to - 1]);
    let from = to;
    while (from > 0 && levelOf(runs[from - 1]) === level && (from === to || isNext(runs[from - 1], runs[from]))) from--;
    if (to - from >= FAN_IN) return { from, to };
    to = from;
  }
  return undefined;
}

/**
 * The runs that together cover the heights from the lowest kept block on without a gap, each as far as possible: what was
 * merged wins over what it was merged from. Below that block runs are taken too, as far as there are any: they still tell
 * what was executed there. The rest is left over from an interrupted merge, or lies behind a gap.
 *
 * @param lowest height of the lowest block that is here; 0 when nothing was pruned
 */
export function planCover<T extends RunShape>(
  found: readonly T[],
  lowest = 0,
): { readonly cover: readonly T[]; readonly rest: readonly T[] } {
  const cover: T[] = [];
  const rest = new Set(found);
  let next = 0;
  for (;;) {
    let best: T | undefined;
    for (const run of rest) {
      const isFirst = run.fromHeight >= next && run.fromHeight <= Math.max(next, lowest);
      if (isFirst && (!best || run.fromHeight < best.fromHeight || (run.fromHeight === best.fromHeight && run.toHeight > best.toHeight)))
        best = run;
    }
    if (!best) break;
    cover.push(best);
    rest.delete(best);
    next = best.toHeight + 1;
  }
  return { cover, rest: [...rest] };
}

function isNext(older: RunShape | undefined, newer: RunShape | undefined): boolean {
  return older !== undefined && newer !== undefined && older.toHeight + 1 === newer.fromHeight;
}

function levelOf(run: RunShape | undefined): number {
  let level = 0;
  for (let span = LEVEL_ZERO_ENTRIES; run !== undefined && run.count >= span; span *= FAN_IN) level++;
  return level;
}
