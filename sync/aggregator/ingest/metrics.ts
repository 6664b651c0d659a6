import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";
import { SYNC_REFUSALS, type SyncRefusalCode } from "../../protocol/index.ts";

/** What ingest has done since it started. */
export class IngestCounters implements MetricSource {
  hellos = 0;
  batches = 0;
  events = 0;
  heartbeats = 0;
  /** Bytes of batches that were taken, as they travelled. */
  wireBytes = 0;
  readonly #refused = new Map<SyncRefusalCode, number>();

  /** Counts a refusal. */
  refuse(code: SyncRefusalCode): void {
    this.#refused.set(code, this.refused(code) + 1);
  }

  /** Refusals of one kind. */
  refused(code: SyncRefusalCode): number {
    return this.#refused.get(code) ?? 0;
  }

  collect(): readonly MetricFamily[] {
    const counter = (name: string, help: string, value: number): MetricFamily => ({ name, help, kind: "counter", samples: [{ value }] });
    const codes = Object.keys(SYNC_REFUSALS) as SyncRefusalCode[]; // the table's own keys
    return [
      counter("bizra_aggregator_hellos_total", "Sessions opened.", this.hellos),
      counter("bizra_aggregator_batches_total", "Batches verified and stored.", this.batches),
      counter("bizra_aggregator_events_total", "Events verified and stored.", this.events),
      counter("bizra_aggregator_heartbeats_total", "Heartbeats taken.", this.heartbeats),
      counter("bizra_aggregator_wire_bytes_total", "Bytes of stored batches as they travelled.", this.wireBytes),
      {
        name: "bizra_aggregator_refused_total",
        help: "Messages refused, by code.",
        kind: "counter",
        samples: codes.map((code) => ({ labels: { code }, value: this.refused(code) })),
      },
    ];
  }
}
