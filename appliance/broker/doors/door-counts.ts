import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";

/** How a connection came in. */
export type DoorKind = "tcp" | "tls" | "webSocket";

/** What doors count: a connection that was opened to the broker, or why it was turned away before. */
export type DoorEvent =
  | "opened"
  | "handshakeFailed"
  | "handshakeTimedOut"
  | "handshakesFull"
  | "certificateRefused"
  | "refused"
  | "originRefused";

/** Counts of all doors of a broker. */
export class DoorCounts implements MetricSource {
  readonly #counts = new Map<DoorKind, Map<DoorEvent, number>>();

  /** Counts one. */
  add(door: DoorKind, event: DoorEvent): void {
    const events = this.#counts.get(door) ?? new Map<DoorEvent, number>();
    this.#counts.set(door, events);
    events.set(event, (events.get(event) ?? 0) + 1);
  }

  /** How often it happened. */
  count(door: DoorKind, event: DoorEvent): number {
    return this.#counts.get(door)?.get(event) ?? 0;
  }

  collect(): MetricFamily[] {
    const samples = [...this.#counts].flatMap(([door, events]) =>
      [...events].map(([event, value]) => ({ labels: { door, event }, value })),
    );
    const help = "Connections at the doors, by door and by what became of them.";
    return samples.length === 0 ? [] : [{ name: "bizra_mqtt_door_connections_total", help, kind: "counter", samples }];
  }
}
