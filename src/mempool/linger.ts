/** What the batcher has seen lately. */
export type LingerInput = {
  /** How long a sync of the log takes: an average that follows. */
  readonly syncMs: number;
  /** Transactions a millisecond: an average that follows. */
  readonly arrivalsPerMs: number;
  /** Bytes that wait for the next batch. */
  readonly waitingSizeBytes: number;
};

/** The part of the bounds that shapes lingering. */
export type LingerBounds = { readonly lingerMinMs: number; readonly lingerMaxMs: number; readonly lingerSizeBytes: number };

/** Syncs that a lingering time should be worth: shorter, and the disk would do little else than sync. */
const SYNCS_PER_LINGER = 4;

/**
 * How long the oldest waiting transaction lingers for company before its batch is sealed, in milliseconds.
 *
 * Lingering trades latency for fewer syncs, and each sync rewrites the last page of the log. So: not at all once enough
 * bytes wait to fill pages of their own; the minimum while so little arrives that nobody would join; else four times what
 * a sync costs here, so that a slow disk (whose latency is lost anyway) and its flash are spared.
 *
 * @see ledger.md, Batch: linger 5-20 ms by load and by the disk's sync time
 */
export function lingerMs(input: LingerInput, bounds: LingerBounds): number {
  if (input.waitingSizeBytes >= bounds.lingerSizeBytes) return 0;
  if (input.arrivalsPerMs * bounds.lingerMaxMs < 1) return bounds.lingerMinMs;
  return Math.min(bounds.lingerMaxMs, Math.max(bounds.lingerMinMs, SYNCS_PER_LINGER * input.syncMs));
}

/** An average that follows: each sample moves it by an eighth of the difference. */
export function follow(average: number, sample: number): number {
  return average + (sample - average) / 8;
}
