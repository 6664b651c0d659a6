/** A metric's kind: a count that only grows, a value of now, or counts by upper bound. */
export type MetricKind = "counter" | "gauge" | "histogram";

/** Labels of one sample; few and bounded, never an id or an address. */
export type MetricLabels = Readonly<Record<string, string>>;

/**
 * One value of a counter or gauge, or one distribution of a histogram. `buckets` count observations at or below each
 * bound, cumulatively, bounds ascending and without +Inf (that is `count`).
 */
export type MetricSample =
  | { readonly labels?: MetricLabels; readonly value: number | bigint }
  | {
      readonly labels?: MetricLabels;
      readonly buckets: readonly { readonly bound: number; readonly count: number }[];
      readonly sum: number;
      readonly count: number;
    };

/**
 * A metric with its samples of one moment. Names are `bizra_<context>_<what>` with the base unit last (`_seconds`,
 * `_bytes`), counters end in `_total`; help is one sentence.
 */
export type MetricFamily = {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly samples: readonly MetricSample[];
};

/**
 * What a context offers for scraping: its counters as they stand. Called at every scrape, synchronously; reads fields,
 * never queries a database.
 */
export interface MetricSource {
  collect(): readonly MetricFamily[];
}
