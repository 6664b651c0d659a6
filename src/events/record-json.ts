import { toHex, unreachable } from "../kernel/index.ts";
import { decodePayload, kindOf } from "./event-codec.ts";
import { type FieldKind, type FieldValue, findEventSchema } from "./event-schemas.ts";
import type { Lane, LaneRecord } from "./types.ts";

/** A payload field as JSON: u64 as decimal strings, bytes as lower-case hex, times as RFC 3339 UTC. */
type JsonField = string | number | boolean;

/** A record as JSON. `payloadHex` stands in for `payload` when this release does not know the type. */
export type RecordJson = {
  readonly lane: Lane;
  readonly epoch: number;
  readonly sequence: number;
  readonly previousHash: string;
  readonly time: string;
  readonly type: string;
  readonly payload?: Readonly<Record<string, JsonField>>;
  readonly payloadHex?: string;
  readonly hash: string;
};

/** A record for people and for JSON streams, by the conventions of the outside contract. */
export function recordToJson(record: LaneRecord): RecordJson {
  const { lane, epoch, sequence, type } = record;
  const head = { lane, epoch, sequence, previousHash: toHex(record.previousHash), time: formatTime(record.timeMs), type };
  const decoded = decodePayload(type, record.payload);
  const fields = findEventSchema(type)?.fields;
  if (!decoded.ok || !fields) return { ...head, payloadHex: toHex(record.payload), hash: toHex(record.hash) };
  const payload: Record<string, JsonField> = {};
  for (const [name, value] of Object.entries(decoded.value)) {
    const spec = fields[name];
    if (spec) payload[name] = fieldToJson(kindOf(spec), value);
  }
  return { ...head, payload, hash: toHex(record.hash) };
}

function fieldToJson(kind: FieldKind, value: FieldValue): JsonField {
  switch (kind) {
    case "uint":
      return Number(value);
    case "u64":
      return String(value);
    case "time":
      return formatTime(Number(value));
    case "bytes":
      return value instanceof Uint8Array ? toHex(value) : "";
    case "text":
      return String(value);
    case "flag":
      return value === true;
    default:
      return unreachable(kind);
  }
}

/** RFC 3339 UTC with milliseconds; a number beyond what a date can hold is shown as its digits. */
function formatTime(timeMs: number): string {
  return timeMs <= 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs);
}
