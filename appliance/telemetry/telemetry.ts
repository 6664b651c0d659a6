import type { MetricFamily, MetricSource } from "../../src/monitoring/index.ts";
import type { Traffic } from "./byte-count.ts";
import type { CommandDoor } from "./commands/door.ts";
import { Link, type LinkOptions, type LinkParts } from "./link.ts";
import type { MetricValues } from "./metrics.ts";
import type { Connector } from "./outlet.ts";
import type { MetricReader } from "./sampler.ts";

/** A broker that is told, with what was published to it. */
export type CountedConnector = Connector & { readonly traffic: Traffic };

/** One broker to tell. */
export type BrokerOptions = Omit<LinkOptions, "connector"> & { readonly connector: CountedConnector };

/** The views of one node to its brokers; started and stopped together. */
export class Telemetry implements MetricSource, MetricReader {
  readonly #links: readonly { readonly link: Link; readonly connector: CountedConnector }[];

  /** @param parts what every link stands on */
  constructor(parts: LinkParts, brokers: readonly BrokerOptions[]) {
    this.#links = brokers.map((options) => ({ link: new Link(parts, options), connector: options.connector }));
  }

  /** Begins to tell; commands are heard on every broker. */
  start(door: CommandDoor | undefined): void {
    for (const { link } of this.#links) {
      door?.attach(link.native);
      link.start();
    }
  }

  /** Tells anew what the node is. */
  tellInfo(): void {
    for (const { link } of this.#links) link.tellInfo();
  }

  /** Tells everything at once. */
  tellAll(): void {
    for (const { link } of this.#links) link.tellAll();
  }

  /** Asks for Sparkplug births; on how many brokers there is an edge node. */
  requestRebirth(): number {
    return this.#links.filter(({ link }) => link.requestRebirth()).length;
  }

  /** Says goodbye everywhere. */
  async stop(): Promise<void> {
    await Promise.all(this.#links.map(({ link }) => link.stop()));
  }

  /** What it costs and what waits, as figures of their own. */
  read(): MetricValues {
    const outside = this.#links.filter(({ connector }) => connector.name !== "own");
    return {
      telemetryBacklog: outside.reduce((sum, { link }) => sum + link.waiting.reports, 0),
      telemetryBytes: outside.reduce((sum, { connector }) => sum + connector.traffic.bytes, 0),
    };
  }

  /** `bizra_telemetry_*`. */
  collect(): readonly MetricFamily[] {
    const labelled = (broker: string, value: number) => ({ labels: { broker }, value });
    const byKind = this.#links.flatMap(({ connector }) =>
      [...connector.traffic.counts].map(([kind, count]) => ({ labels: { broker: connector.name, kind }, ...count })),
    );
    const families: MetricFamily[] = [
      {
        name: "bizra_telemetry_connected",
        help: "Whether a broker can be reached.",
        kind: "gauge",
        samples: this.#links.map(({ link, connector }) => labelled(connector.name, link.native.isConnected ? 1 : 0)),
      },
      {
        name: "bizra_telemetry_waiting_reports",
        help: "Reports on disk that a broker does not have.",
        kind: "gauge",
        samples: this.#links.map(({ link, connector }) => labelled(connector.name, link.waiting.reports)),
      },
      {
        name: "bizra_telemetry_waiting_events",
        help: "Records of the event log that a broker does not have.",
        kind: "gauge",
        samples: this.#links.map(({ link, connector }) => labelled(connector.name, link.waiting.events)),
      },
      {
        name: "bizra_telemetry_messages_total",
        help: "Messages published, by kind.",
        kind: "counter",
        samples: byKind.map(({ labels, messages }) => ({ labels, value: messages })),
      },
      {
        name: "bizra_telemetry_bytes_total",
        help: "Bytes published, packet heads included, by kind.",
        kind: "counter",
        samples: byKind.map(({ labels, bytes }) => ({ labels, value: bytes })),
      },
    ];
    return families.filter((family) => family.samples.length > 0);
  }
}
