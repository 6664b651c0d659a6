import { type LaneRecord, recordToJson } from "../../src/events/index.ts";
import { utf8 } from "../../src/kernel/index.ts";
import type { OutletMessage } from "./outlet.ts";
import { type EventCategory, eventTopic, type NodeName } from "./topics.ts";

/** Media type of a CloudEvent in structured JSON, as the MQTT binding wants it. */
export const CLOUD_EVENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** What an event of this type is about. Everything of the node itself, and what this release does not know, counts as `network`. */
export function categoryOf(type: string): EventCategory {
  if (type === "block.validated" || type === "healthcheck.failed") return "validation";
  if (type.startsWith("block.")) return "block";
  if (type.startsWith("transaction.")) return "transaction";
  if (/^(consensus|validator|set|epoch|signing)\./.test(type)) return "consensus";
  return "network";
}

/**
 * A record of the event log as a CloudEvent 1.0: `id` is its place (lane, incarnation, sequence), so the same record has
 * the same `source` and `id` however often it comes, and consumers know a repetition by them.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export function cloudEvent(name: NodeName, record: LaneRecord): OutletMessage {
  const { lane, epoch, sequence, type, time, payload, payloadHex, hash } = recordToJson(record);
  return structured(name, categoryOf(type), {
    id: `${lane}-${epoch}-${sequence}`,
    type: `bizra.${type}`,
    time,
    lane,
    sequence: String(sequence),
    recordhash: hash,
    data: payload ?? { payloadHex },
  });
}

/** Says which records of a lane a broker was never sent, because too many waited. */
export function skippedEvent(name: NodeName, lane: string, epoch: number, from: number, to: number, timeMs: number): OutletMessage {
  return structured(name, "network", {
    id: `${lane}-${epoch}-${from}-skipped-${to}`,
    type: "bizra.telemetry.skipped",
    time: new Date(timeMs).toISOString(),
    lane,
    data: { lane, epoch, from, to },
  });
}

function structured(name: NodeName, category: EventCategory, attributes: Readonly<Record<string, unknown>>): OutletMessage {
  const event = {
    specversion: "1.0",
    source: `urn:bizra:${name.network}:node:${name.node}`,
    datacontenttype: "application/json",
    ...attributes,
  };
  return {
    topic: eventTopic(name, category),
    payload: utf8(JSON.stringify(event)),
    qos: 1,
    isRetained: false,
    contentType: CLOUD_EVENT_TYPE,
  };
}
