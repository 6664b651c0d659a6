import type { MetricFamily, MetricSource } from "../../../src/monitoring/index.ts";

/** How a connection came in. */
export type DoorKind = "tcp" | "tls" | "webSocket";

/** What doors count: a connection that was opened to the broker, why it was turned away before, or that they ended it later. */
export type DoorEvent =
  | "opened"
  | "handshakeFailed"
  | "handshakeTimedOut"
  | "handshakesFull"
  | "certificateRefused"
  | "refused"
  | "originRefused"
  | "outgoingFull";

/** Counts of all doors of a broker. */
export class DoorCounts implements MetricSource {
  readonly #counts = new Map<DoorKind, Map<DoorEvent, number>>();
  #heldBytes: () => number = () => 0;

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

  /** Who knows how many bytes are held for clients that do not take them. */
  watchHeld(heldBytes: () => number): void {
    this.#heldBytes = heldBytes;
  }

  collect(): MetricFamily[] {
    const samples = [...this.#counts].flatMap(([door, events]) =>
      [...events].map(([event, value]) => ({ labels: { door, event }, value })),
    );
    const help = "Connections at the doors, by door and by what became of them.";
    const held: MetricFamily = {
      name: "bizra_mqtt_door_held_bytes",
      help: "Bytes held for clients that do not take them.",
      kind: "gauge",
      samples: [{ value: this.#heldBytes() }],
    };
    return samples.length === 0 ? [held] : [{ name: "bizra_mqtt_door_connections_total", help, kind: "counter", samples }, held];
  }
}
