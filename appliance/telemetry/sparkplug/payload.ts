import { err, ok, type Result, unreachable } from "../../../src/kernel/index.ts";
import type { MetricType, MetricValue } from "../metrics.ts";
import { ProtobufWriter, readFields, type WireField } from "./wire.ts";

/** Numbers of the data types. @see Sparkplug 3.0 section 6.4.16 */
export const DATA_TYPES = { Int64: 4, UInt64: 8, Double: 10, Boolean: 11, String: 12 } as const satisfies Record<MetricType, number>;

/** A metric of a payload. Births have name and alias, data messages the alias alone. */
export type SparkplugMetric = {
  readonly name?: string;
  readonly alias?: number;
  readonly timeMs: number;
  readonly type: MetricType;
  readonly value: MetricValue;
  readonly isHistorical?: boolean;
  /** Becomes the property `engUnit`; in births. */
  readonly unit?: string;
};

/** A payload; `seq` is absent in NDEATH alone. */
export type SparkplugPayload = { readonly timeMs: number; readonly seq?: number; readonly metrics: readonly SparkplugMetric[] };

/**
 * The protocol-buffer bytes of a payload. Every metric states its data type, in data messages too: the specification advises
 * against it there (tck-id-payloads-metric-datatype-not-req, a SHOULD NOT), but decoders in use find no value without it.
 */
export function encodePayload({ timeMs, seq, metrics }: SparkplugPayload): Uint8Array {
  const w = new ProtobufWriter().varint(1, timeMs);
  for (const metric of metrics) w.bytes(2, encodeMetric(metric));
  if (seq !== undefined) w.varint(3, seq);
  return w.finish();
}

function encodeMetric({ name, alias, timeMs, type, value, isHistorical, unit }: SparkplugMetric): Uint8Array {
  const w = new ProtobufWriter();
  if (name !== undefined) w.text(1, name);
  if (alias !== undefined) w.varint(2, alias);
  w.varint(3, timeMs);
  w.varint(4, DATA_TYPES[type]);
  if (isHistorical === true) w.bool(5, true);
  if (value === null) w.bool(7, true);
  if (unit !== undefined) w.bytes(9, encodeUnit(unit));
  if (value !== null) encodeValue(w, type, value);
  return w.finish();
}

/** A property set of one: `engUnit`, a string. */
function encodeUnit(unit: string): Uint8Array {
  const value = new ProtobufWriter().varint(1, DATA_TYPES.String).text(8, unit).finish();
  return new ProtobufWriter().text(1, "engUnit").bytes(2, value).finish();
}

function encodeValue(w: ProtobufWriter, type: MetricType, value: number | boolean | string): void {
  switch (type) {
    case "Int64":
    case "UInt64":
      w.varint(11, BigInt.asUintN(64, BigInt(Math.round(Number(value)))));
      return;
    case "Double":
      w.double(13, Number(value));
      return;
    case "Boolean":
      w.bool(14, value === true);
      return;
    case "String":
      w.text(15, String(value));
      return;
    default:
      unreachable(type);
  }
}

/** A metric of a command that came in: what it names and its value, as far as an edge node asks. */
export type CommandMetric = { readonly name?: string; readonly alias?: number; readonly value: number | bigint | boolean | string | null };

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true });
const METRICS_MAX = 1_024;

/** Reads a payload that a host sent (NCMD, DCMD). Unknown fields are passed over. Never throws. */
export function decodeCommand(
  bytes: Uint8Array,
): Result<{ readonly timeMs?: number; readonly metrics: readonly CommandMetric[] }, "malformed"> {
  const fields = readFields(bytes);
  if (fields === undefined) return err("malformed");
  const metrics: CommandMetric[] = [];
  let timeMs: number | undefined;
  for (const { field, wireType, number, bytes: content } of fields) {
    if (field === 1 && wireType === 0) timeMs = Number(number);
    if (field !== 2) continue;
    const metric = wireType === 2 && metrics.length < METRICS_MAX ? decodeMetric(content) : undefined;
    if (metric === undefined) return err("malformed");
    metrics.push(metric);
  }
  return ok({ ...(timeMs !== undefined && { timeMs }), metrics });
}

function decodeMetric(bytes: Uint8Array): CommandMetric | undefined {
  const fields = readFields(bytes);
  if (fields === undefined) return undefined;
  let name: string | undefined;
  let alias: number | undefined;
  let value: CommandMetric["value"] = null;
  for (const item of fields) {
    if (item.field === 1) name = textOf(item);
    else if (item.field === 2 && item.wireType === 0) alias = Number(item.number);
    else if (item.field >= 10 && item.field <= 15) value = commandValueOf(item);
  }
  return { ...(name !== undefined && { name }), ...(alias !== undefined && { alias }), value };
}

function commandValueOf({ field, wireType, number, bytes }: WireField): CommandMetric["value"] {
  if (wireType === 0) return field === 14 ? number === 1n : field === 10 ? Number(number) : field === 11 ? number : null;
  if (field === 15 && wireType === 2) return textOf({ wireType, bytes }) ?? null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (field === 12 && wireType === 5) return view.getFloat32(0, true);
  if (field === 13 && wireType === 1) return view.getFloat64(0, true);
  return null;
}

function textOf({ wireType, bytes }: Pick<WireField, "wireType" | "bytes">): string | undefined {
  if (wireType !== 2) return undefined;
  try {
    return STRICT_UTF8.decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a TypeError is how TextDecoder reports invalid UTF-8
    return undefined;
  }
}
