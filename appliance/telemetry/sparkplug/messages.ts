import { METRIC_NAMES, type MetricName, metricSpec } from "../metrics.ts";
import type { OutletMessage } from "../outlet.ts";
import type { Report, Sample } from "../report.ts";
import { encodePayload, type SparkplugMetric } from "./payload.ts";

/** Where an edge node stands in the topic namespace. Neither word holds `+`, `/` or `#`. */
export type EdgeNodeName = { readonly group: string; readonly node: string };

/** A device behind the edge node, as it is told of; `index` is its place for as long as the process lives, from 0. */
export type SparkplugDevice = {
  readonly name: string;
  readonly index: number;
  readonly submissions: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly lastSubmissionMs: number;
};

/** The one metric that has no alias. */
export const REBIRTH = "Node Control/Rebirth";

const ALIAS_OF_BDSEQ = 1;
const ALIAS_OF_NODE_METRICS = 10;
const ALIAS_OF_DEVICES = 1_000;

/** The metrics of a device, in the order of their aliases. */
const DEVICE_METRICS = [
  { path: "Submissions", read: (device: SparkplugDevice) => device.submissions },
  { path: "Accepted", read: (device: SparkplugDevice) => device.accepted },
  { path: "Rejected", read: (device: SparkplugDevice) => device.rejected },
  { path: "Last Submission", read: (device: SparkplugDevice) => device.lastSubmissionMs },
] as const;

/** The alias of a figure of the node: the same in every session. */
export function aliasOf(name: MetricName): number {
  return ALIAS_OF_NODE_METRICS + METRIC_NAMES.indexOf(name);
}

/** Topic of a message of the edge node, or of one of its devices. */
export function sparkplugTopic({ group, node }: EdgeNodeName, kind: string, device?: string): string {
  return `spBv1.0/${group}/${kind}/${node}${device === undefined ? "" : `/${device}`}`;
}

/** NDEATH: the number of the connection alone, without a sequence number. QoS 1, as the will that it is. */
export function nodeDeath(name: EdgeNodeName, timeMs: number, bdSeq: number): OutletMessage {
  const metrics: SparkplugMetric[] = [{ name: "bdSeq", timeMs, type: "Int64", value: bdSeq }];
  return { topic: sparkplugTopic(name, "NDEATH"), payload: encodePayload({ timeMs, metrics }), qos: 1, isRetained: false };
}

/** NBIRTH: every metric that will ever be told, by name, alias, type and value. */
export function nodeBirth(name: EdgeNodeName, timeMs: number, seq: number, bdSeq: number, sample: Sample): OutletMessage {
  const metrics: SparkplugMetric[] = [
    { name: "bdSeq", alias: ALIAS_OF_BDSEQ, timeMs, type: "Int64", value: bdSeq },
    { name: REBIRTH, timeMs, type: "Boolean", value: false },
    ...METRIC_NAMES.map((metric): SparkplugMetric => {
      const { path, type, unit } = metricSpec(metric);
      return {
        name: path,
        alias: aliasOf(metric),
        timeMs: sample.timeMs,
        type,
        value: sample.values[metric],
        ...(unit !== undefined && { unit }),
      };
    }),
  ];
  return volatile(sparkplugTopic(name, "NBIRTH"), timeMs, seq, metrics);
}

/** NDATA: the figures of one or more reports, oldest first, by alias. */
export function nodeData(
  name: EdgeNodeName,
  timeMs: number,
  seq: number,
  reports: readonly Report[],
  isHistorical: boolean,
): OutletMessage {
  const metrics = reports.flatMap(({ timeMs: takenAtMs, values }) =>
    METRIC_NAMES.flatMap((metric): SparkplugMetric[] => {
      const value = values[metric];
      if (value === undefined) return [];
      return [{ alias: aliasOf(metric), timeMs: takenAtMs, type: metricSpec(metric).type, value, ...(isHistorical && { isHistorical }) }];
    }),
  );
  return volatile(sparkplugTopic(name, "NDATA"), timeMs, seq, metrics);
}

/** DBIRTH: every metric of a device. */
export function deviceBirth(name: EdgeNodeName, timeMs: number, seq: number, device: SparkplugDevice): OutletMessage {
  const metrics = deviceMetrics(timeMs, device).map((metric, i) => ({ ...metric, name: DEVICE_METRICS[i]?.path ?? "" }));
  return volatile(sparkplugTopic(name, "DBIRTH", device.name), timeMs, seq, metrics);
}

/** DDATA: the metrics of a device that differ from what was told. */
export function deviceData(name: EdgeNodeName, timeMs: number, seq: number, device: SparkplugDevice, told: SparkplugDevice): OutletMessage {
  const before = deviceMetrics(timeMs, told);
  const metrics = deviceMetrics(timeMs, device).filter((metric, i) => metric.value !== before[i]?.value);
  return volatile(sparkplugTopic(name, "DDATA", device.name), timeMs, seq, metrics);
}

/** DDEATH: no metric. */
export function deviceDeath(name: EdgeNodeName, timeMs: number, seq: number, device: string): OutletMessage {
  return volatile(sparkplugTopic(name, "DDEATH", device), timeMs, seq, []);
}

function deviceMetrics(timeMs: number, device: SparkplugDevice): SparkplugMetric[] {
  const first = ALIAS_OF_DEVICES + device.index * DEVICE_METRICS.length;
  return DEVICE_METRICS.map(({ read }, i) => ({ alias: first + i, timeMs, type: "UInt64", value: read(device) }));
}

/** QoS 0, not retained, as the specification wants every message but the death of a node. */
function volatile(topic: string, timeMs: number, seq: number, metrics: readonly SparkplugMetric[]): OutletMessage {
  return { topic, payload: encodePayload({ timeMs, seq, metrics }), qos: 0, isRetained: false };
}
