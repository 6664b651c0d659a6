import type { MetricFamily, MetricSample, MetricSource } from "../monitoring/index.ts";
import type { Tally } from "../network/index.ts";
import type { NodeNetworking } from "./networking.ts";

/** What goes over the network and to whom, as metric families; fields are read at each scrape. */
export function networkMetrics(networking: NodeNetworking): MetricSource {
  return { collect: () => familiesOf(networking).filter((family) => family.samples.length > 0) };
}

function familiesOf(networking: NodeNetworking): MetricFamily[] {
  const { traffic } = networking;
  const { connected, absent } = networking.peers();
  const validators = connected.filter(({ isValidator }) => isValidator);
  const rtts = validators.map(({ rttMs }) => rttMs ?? 0);
  return [
    {
      name: "bizra_network_peers",
      help: "Connected peers, by what they are.",
      kind: "gauge",
      samples: [
        { labels: { role: "validator" }, value: validators.length },
        { labels: { role: "observer" }, value: connected.length - validators.length },
      ],
    },
    gauge("bizra_network_absent_peers", "Configured addresses without a connection.", absent.length),
    gauge("bizra_network_queued_bytes", "Bytes that wait to be sent to peers.", sumOf(connected.map(({ queuedBytes }) => queuedBytes))),
    gauge("bizra_network_rtt_seconds", "The longest way to a connected validator and back.", Math.max(0, ...rtts) / 1_000),
    ...tallies("sent", "Sent to peers", traffic.sent),
    ...tallies("received", "Received from peers", traffic.received),
    ...tallies("dropped", "Not sent to peers because too much waited", traffic.dropped),
  ];
}

/** Counters of messages and bytes by lane and kind, of which there are few. */
function tallies(name: string, help: string, byKind: ReadonlyMap<string, Tally>): MetricFamily[] {
  const samplesOf = (value: (tally: Tally) => number): MetricSample[] =>
    [...byKind].map(([kind, tally]) => ({ labels: { kind }, value: value(tally) }));
  return [
    {
      name: `bizra_network_${name}_messages_total`,
      help: `${help}: messages by lane and kind.`,
      kind: "counter",
      samples: samplesOf(({ messages }) => messages),
    },
    {
      name: `bizra_network_${name}_bytes_total`,
      help: `${help}: bytes by lane and kind.`,
      kind: "counter",
      samples: samplesOf(({ bytes }) => bytes),
    },
  ];
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "gauge", samples: [{ value }] };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
