import { utf8 } from "../../src/kernel/index.ts";
import type { OutletMessage } from "./outlet.ts";

/** Bytes that a PUBLISH takes on the wire, without TLS and TCP: fixed head, topic, packet id, MQTT 5 properties, payload. */
export function publishBytes({ topic, payload, qos, contentType, responseTopic, correlationData }: OutletMessage): number {
  const named = [contentType, responseTopic].reduce((sum, text) => sum + (text === undefined ? 0 : 3 + utf8(text).length), 0);
  const properties = named + (correlationData === undefined ? 0 : 3 + correlationData.length);
  const body = 2 + utf8(topic).length + (qos === 0 ? 0 : 2) + 1 + properties + payload.length;
  return 1 + (body < 128 ? 1 : body < 16_384 ? 2 : body < 2_097_152 ? 3 : 4) + body;
}

/** What was published to one broker, by what it was. */
export class Traffic {
  readonly #counts = new Map<string, { messages: number; bytes: number }>();

  /** Counts a publication. */
  add(message: OutletMessage): void {
    const kind = kindOf(message.topic);
    const count = this.#counts.get(kind) ?? { messages: 0, bytes: 0 };
    count.messages++;
    count.bytes += publishBytes(message);
    this.#counts.set(kind, count);
  }

  /** Messages and bytes by kind. */
  get counts(): ReadonlyMap<string, { readonly messages: number; readonly bytes: number }> {
    return this.#counts;
  }

  /** Bytes of every kind. */
  get bytes(): number {
    let bytes = 0;
    for (const count of this.#counts.values()) bytes += count.bytes;
    return bytes;
  }
}

/** The kind of a topic: few, for they become labels. */
function kindOf(topic: string): string {
  const words = topic.split("/");
  if (words[0] === "spBv1.0") return `sparkplug.${words[2] ?? ""}`;
  if (words[3] === "events") return "events";
  if (words[3] === "node") return `node.${words[5] ?? ""}`;
  return words[1] === "device" ? "homeAssistant" : "other";
}
