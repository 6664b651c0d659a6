import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { assert } from "../kernel/index.ts";
import { EXPOSITION_CONTENT_TYPES, type ExpositionFormat, renderExposition } from "./exposition.ts";
import type { MetricFamily, MetricKind, MetricLabels, MetricSample, MetricSource } from "./metric-source.ts";

/** A rendered scrape. */
export type Scrape = { readonly contentType: string; readonly body: string };

/** Name, help and label names of a metric that is counted here. */
export type MetricDescription = { readonly name: string; readonly help: string; readonly labels?: readonly string[] };

/** Counts events. */
export interface CounterMetric {
  add(labels?: MetricLabels, amount?: number): void;
}

/** Shows a value of now. */
export interface GaugeMetric {
  set(value: number, labels?: MetricLabels): void;
}

/** Counts observations by upper bound. */
export interface HistogramMetric {
  observe(value: number, labels?: MetricLabels): void;
}

/**
 * The metrics of one process: what is counted here, and what contexts offer through `collect()` at each scrape. Label
 * sets are the caller's to keep few.
 */
export class MetricRegistry {
  readonly #registry = new Registry();
  readonly #sources: MetricSource[] = [];

  /** A counter; its name ends in `_total`. */
  counter(description: MetricDescription): CounterMetric {
    const counter = new Counter(this.#describe(description));
    return { add: (labels, amount = 1) => counter.inc({ ...labels }, amount) };
  }

  /** A gauge. */
  gauge(description: MetricDescription): GaugeMetric {
    const gauge = new Gauge(this.#describe(description));
    return { set: (value, labels) => gauge.set({ ...labels }, value) };
  }

  /** A histogram with these upper bounds, ascending, +Inf left out. */
  histogram(description: MetricDescription, bounds: readonly number[]): HistogramMetric {
    assert(
      bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] ?? bound)),
      "a histogram's bounds ascend",
    );
    const histogram = new Histogram({ ...this.#describe(description), buckets: [...bounds] });
    return { observe: (value, labels) => histogram.observe({ ...labels }, value) };
  }

  /** Adds what a context offers; its families appear in every later scrape. */
  addSource(source: MetricSource): void {
    assert(!this.#sources.includes(source), "a source is added once");
    this.#sources.push(source);
  }

  /** All metrics as they stand, as text for a scraper. */
  async render(format: ExpositionFormat): Promise<Scrape> {
    const own = await this.#registry.getMetricsAsJSON();
    const families = own.map(({ name, help, type, values }) => {
      const kind = String(type) as MetricKind;
      const samples =
        kind === "histogram" ? distributionsOf(name, values) : values.map(({ value, labels }) => ({ labels: textLabels(labels), value }));
      return { name, help, kind, samples } satisfies MetricFamily;
    });
    const collected = this.#sources.flatMap((source) => source.collect());
    return { contentType: EXPOSITION_CONTENT_TYPES[format], body: renderExposition([...families, ...collected], format) };
  }

  #describe({ name, help, labels = [] }: MetricDescription) {
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

/** One value as prom-client keeps it. */
type StoredValue = { readonly value: number; readonly metricName?: string; readonly labels: Partial<Record<string, string | number>> };

/** Puts prom-client's flat list of buckets, sums and counts together, one distribution for each label set. */
function distributionsOf(name: string, values: readonly StoredValue[]): MetricSample[] {
  type Distribution = { labels: MetricLabels; buckets: { bound: number; count: number }[]; sum: number; count: number };
  const byLabels = new Map<string, Distribution>();
  for (const { value, metricName, labels: stored } of values) {
    const { le, ...rest } = stored;
    const labels = textLabels(rest);
    const key = JSON.stringify(labels);
    const distribution = byLabels.get(key) ?? { labels, buckets: [], sum: 0, count: 0 };
    byLabels.set(key, distribution);
    if (metricName === `${name}_sum`) distribution.sum = value;
    else if (metricName === `${name}_count`) distribution.count = value;
    else if (le !== "+Inf") distribution.buckets.push({ bound: Number(le), count: value });
  }
  return [...byLabels.values()];
}

function textLabels(labels: StoredValue["labels"]): MetricLabels {
  return Object.fromEntries(Object.entries(labels).map(([label, text]) => [label, String(text)]));
}
