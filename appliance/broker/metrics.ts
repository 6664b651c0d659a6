import type { MetricFamily } from "../../src/monitoring/index.ts";
import type { Counters } from "./counters.ts";
import type { Journal } from "./journal.ts";
import type { BrokerFigures } from "./types.ts";

/** The broker's metrics as they stand. */
export function metricFamilies(figures: BrokerFigures, counters: Counters, journal: Journal): readonly MetricFamily[] {
  return [
    gauge("bizra_broker_connections", "Clients connected.", figures.connectionCount),
    gauge("bizra_broker_sessions", "Sessions, connected or waited for.", figures.sessionCount),
    gauge("bizra_broker_subscriptions", "Subscriptions of all sessions.", figures.subscriptionCount),
    gauge("bizra_broker_retained_messages", "Topics with a retained message.", figures.retainedCount),
    gauge("bizra_broker_queued_messages", "Messages that wait for a session or its acknowledgement.", figures.queuedCount),
    gauge("bizra_broker_queued_bytes", "Bytes of the messages that wait.", figures.queuedBytes),
    gauge("bizra_broker_partial_bytes", "Bytes of packets that are not whole yet.", figures.partialBytes),
    counter("bizra_broker_connects_total", "CONNECT packets by verdict.", "verdict", {
      accepted: counters.connectsAccepted,
      refused: counters.connectsRefused,
    }),
    counter("bizra_broker_packets_total", "Control packets by direction.", "direction", {
      in: counters.packetsReceived,
      out: counters.packetsSent,
    }),
    counter("bizra_broker_transferred_bytes_total", "Bytes of control packets by direction.", "direction", {
      in: counters.bytesReceived,
      out: counters.bytesSent,
    }),
    counter("bizra_broker_publishes_total", "PUBLISH packets by direction.", "direction", {
      in: counters.publishesReceived,
      out: counters.publishesSent,
    }),
    counter("bizra_broker_dropped_messages_total", "Messages not delivered to a session, by reason.", "reason", {
      queueFull: counters.droppedQueueFull,
      tooLarge: counters.droppedTooLarge,
    }),
    total("bizra_broker_submissions_total", "Publications given to an intake.", counters.submissions),
    total("bizra_broker_refused_publishes_total", "Publications refused by access rules, bounds or an intake.", counters.publishesRefused),
    counter("bizra_broker_closed_clients_total", "Connections that the broker ended, by reason.", "reason", {
      protocol: counters.protocolFaults,
      stuck: counters.stuckClosed,
      keepAlive: counters.keepAliveExpired,
      takenOver: counters.takeOvers,
    }),
    total("bizra_broker_commits_total", "Group commits to broker.db.", journal.commitCount),
    total("bizra_broker_committed_rows_total", "Rows written by group commits.", journal.rowCount),
  ];
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "gauge", samples: [{ value }] };
}

function total(name: string, help: string, value: number): MetricFamily {
  return { name, help, kind: "counter", samples: [{ value }] };
}

function counter(name: string, help: string, label: string, values: Readonly<Record<string, number>>): MetricFamily {
  const samples = Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }));
  return { name, help, kind: "counter", samples };
}
