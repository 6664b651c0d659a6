import { assert } from "../../src/kernel/index.ts";
import type { Message } from "./message.ts";
import type { MessageProperties, UserProperty } from "./types.ts";

/** A message as its table holds it. */
export interface MessageRow {
  readonly id: bigint;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: bigint;
  readonly retain: bigint;
  readonly publisher: string | null;
  readonly expires_at: bigint | null;
  readonly payload_utf8: bigint | null;
  readonly content_type: string | null;
  readonly response_topic: string | null;
  readonly correlation: Uint8Array | null;
  readonly user_properties: string | null;
}

/** User properties as one text, in their order; null for none. */
export function encodeUserProperties(properties: readonly UserProperty[] | undefined): string | null {
  return properties === undefined || properties.length === 0 ? null : JSON.stringify(properties);
}

/** The message of a row. */
export function decodeMessage(row: MessageRow): Message {
  const properties: MessageProperties = {
    ...(row.payload_utf8 === null ? {} : { isPayloadUtf8: row.payload_utf8 === 1n }),
    ...(row.content_type === null ? {} : { contentType: row.content_type }),
    ...(row.response_topic === null ? {} : { responseTopic: row.response_topic }),
    ...(row.correlation === null ? {} : { correlationData: row.correlation }),
    ...(row.user_properties === null ? {} : { userProperties: decodeUserProperties(row.user_properties) }),
  };
  return {
    id: Number(row.id),
    topic: row.topic,
    payload: row.payload,
    properties,
    qos: row.qos === 2n ? 2 : row.qos === 1n ? 1 : 0,
    isRetain: row.retain === 1n,
    ...(row.publisher === null ? {} : { publisherId: row.publisher }),
    ...(row.expires_at === null ? {} : { expiresAtMs: Number(row.expires_at) }),
  };
}

function decodeUserProperties(text: string): UserProperty[] {
  const parsed: unknown = JSON.parse(text);
  assert(Array.isArray(parsed), "stored user properties are a list");
  return parsed.map((pair: unknown) => {
    assert(Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string", "a stored user property is a pair of texts");
    return [pair[0], pair[1]];
  });
}
