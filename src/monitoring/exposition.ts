import { assert } from "../kernel/index.ts";
import type { MetricFamily, MetricLabels, MetricSample } from "./metric-source.ts";

/** Text formats a scraper may ask for. */
export type ExpositionFormat = "prometheus" | "openmetrics";

/** Content type of each format. */
export const EXPOSITION_CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

const NAME = /^bizra_[a-z][a-z0-9_]*$/;
const LABEL = /^[a-z][a-z0-9_]*$/;

/** The format an Accept header asks for: OpenMetrics when it is named and not refused, else Prometheus. */
export function chooseExposition(accept: string | undefined): ExpositionFormat {
  const wanted = (accept ?? "").split(",").find((range) => range.trim().toLowerCase().startsWith("application/openmetrics-text"));
  return wanted !== undefined && !/;\s*q=0(\.0*)?\s*(;|$)/i.test(wanted) ? "openmetrics" : "prometheus";
}

/**
 * The families as text. prom-client's own renderer is not used: asked for OpenMetrics it renames its counters for good,
 * so one registry cannot serve both formats.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
export function renderExposition(families: readonly MetricFamily[], format: ExpositionFormat): string {
  const lines: string[] = [];
  const names = new Set<string>();
  for (const family of families) {
    checkFamily(family, names);
    const isShortened = format === "openmetrics" && family.kind === "counter";
    const name = isShortened ? family.name.slice(0, -"_total".length) : family.name;
    lines.push(`# HELP ${name} ${escapeHelp(family.help, format)}`, `# TYPE ${name} ${family.kind}`);
    for (const sample of family.samples) pushSample(lines, family.name, sample);
  }
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

function checkFamily({ name, kind, help }: MetricFamily, names: Set<string>): void {
  assert(NAME.test(name), `a metric is named bizra_<what>_<unit>, unlike ${name}`);
  assert((kind === "counter") === name.endsWith("_total"), `exactly counters end in _total, unlike ${name}`);
  assert(help.length > 0, `the metric ${name} says what it counts`);
  assert(!names.has(name), `the metric ${name} comes from one source`);
  names.add(name);
}

function pushSample(lines: string[], name: string, sample: MetricSample): void {
  const labels = sample.labels ?? {};
  if ("value" in sample) {
    lines.push(`${name}${formatLabels(labels)} ${formatValue(sample.value)}`);
    return;
  }
  for (const { bound, count } of sample.buckets)
    lines.push(`${name}_bucket${formatLabels({ ...labels, le: formatBound(bound) })} ${count}`);
  lines.push(`${name}_bucket${formatLabels({ ...labels, le: "+Inf" })} ${sample.count}`);
  lines.push(`${name}_sum${formatLabels(labels)} ${formatValue(sample.sum)}`, `${name}_count${formatLabels(labels)} ${sample.count}`);
}

function formatLabels(labels: MetricLabels): string {
  const parts = Object.entries(labels).map(([label, value]) => {
    assert(LABEL.test(label), `a metric's label is a lower-case word, unlike ${label}`);
    return `${label}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
  });
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

/** Bounds are floats in both formats; OpenMetrics asks for the point. */
function formatBound(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function formatValue(value: number | bigint): string {
  if (typeof value === "bigint" || Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(help: string, format: ExpositionFormat): string {
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return format === "openmetrics" ? escaped.replaceAll('"', '\\"') : escaped;
}
