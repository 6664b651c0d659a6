import { decodeBody, recordToJson } from "../../../src/events/index.ts";
import { assert } from "../../../src/kernel/index.ts";
import type { BusEvent } from "../types.ts";

/** What a bus calls the five kinds of events. */
export const BUS_TOPICS = ["validation.events", "consensus.events", "block.events", "transaction.events", "network.events"] as const;

/** One of `BUS_TOPICS`. */
export type BusTopic = (typeof BUS_TOPICS)[number];

/** The topic of a type of event. Everything of the node itself, and what this release does not know, is `network.events`. */
export function topicOf(type: string): BusTopic {
  if (type === "block.validated" || type === "healthcheck.failed") return "validation.events";
  if (type.startsWith("block.")) return "block.events";
  if (type.startsWith("transaction.")) return "transaction.events";
  return /^(consensus|validator|set|epoch|signing)\./.test(type) ? "consensus.events" : "network.events";
}

/** Names the node among those of all networks: first 8 hex digits of the network, a dot, the node. Keys and subjects. */
export function nodeKeyOf({ network, node }: Pick<BusEvent, "network" | "node">): string {
  return `${network.slice(0, 8)}.${node}`;
}

/** Names a record for ever, the same however often it comes: consumers know a repetition by it. */
export function messageIdOf(event: BusEvent): string {
  return `${nodeKeyOf(event)}/${event.lane}-${event.epoch}-${event.sequence}`;
}

const UNKNOWN = new Uint8Array(32);

/**
 * A record as a CloudEvent 1.0 in JSON: its place in the log, its hash, and its payload by name; `payloadHex` for a type that
 * this release does not know.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 */
export function cloudEventOf(event: BusEvent): string {
  const { lane, epoch, sequence, body, hash, network, node } = event;
  const decoded = decodeBody(body);
  assert(decoded.ok, "a stored event's body was a record when it was stored");
  const json = recordToJson({ ...decoded.value, lane, epoch, sequence, previousHash: UNKNOWN, body, hash });
  return JSON.stringify({
    specversion: "1.0",
    id: `${lane}-${epoch}-${sequence}`,
    source: `urn:bizra:${network.slice(0, 8)}:node:${node}`,
    type: `bizra.${json.type}`,
    time: json.time,
    datacontenttype: "application/json",
    lane,
    epoch,
    sequence: String(sequence),
    recordhash: json.hash,
    data: json.payload ?? { payloadHex: json.payloadHex },
  });
}
