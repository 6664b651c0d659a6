import type { MessageProperties, QoS } from "./types.ts";

/** What a message costs beside its topic and payload: rows, objects, properties of the usual size. */
const OVERHEAD_BYTES = 128;
/** What a user property costs in memory beside its texts. */
const PROPERTY_OVERHEAD_BYTES = 64;

/** One application message inside the broker: shared by all who wait for it, never changed. */
export interface Message {
  /** Different for every message of this database. */
  readonly id: number;
  readonly topic: string;
  /** A copy of its own. */
  readonly payload: Uint8Array;
  readonly properties: MessageProperties;
  readonly qos: QoS;
  readonly isRetain: boolean;
  /** Client id of the publisher, for No Local; absent for the node's own. */
  readonly publisherId?: string;
  /** Wall-clock time after which it is delivered to nobody; absent: never. */
  readonly expiresAtMs?: number;
}

/** What bounds count for a message: its bytes and an allowance for what goes with them. */
export function weightOf({ topic, payload, properties }: Message): number {
  let weight = OVERHEAD_BYTES + topic.length + payload.length;
  weight += (properties.contentType?.length ?? 0) + (properties.responseTopic?.length ?? 0) + (properties.correlationData?.length ?? 0);
  for (const [name, value] of properties.userProperties ?? []) weight += PROPERTY_OVERHEAD_BYTES + name.length + value.length;
  return weight;
}

/** Whether the message is past its time. @see MQTT-3.3.2-5 */
export function isExpired({ expiresAtMs }: Message, nowMs: number): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= nowMs;
}

/** Seconds of life left, rounded up, so that what is delivered has at least one; undefined when it has no end. @see MQTT-3.3.2-6 */
export function secondsLeft({ expiresAtMs }: Message, nowMs: number): number | undefined {
  return expiresAtMs === undefined ? undefined : Math.max(1, Math.ceil((expiresAtMs - nowMs) / 1000));
}

/** The lower of what was published and what was granted. @see MQTT-3.8.4-8 */
export function lowerOf(a: QoS, b: QoS): QoS {
  return a <= b ? a : b;
}
