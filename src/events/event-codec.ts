import { assert, CborReader, CborWriter, err, ok, type Result, unreachable } from "../kernel/index.ts";
import { EVENT_SCHEMAS, type Event, type FieldKind, type FieldSpec, type FieldValue, findEventSchema } from "./event-schemas.ts";

/** Bounds of a record, so that a reader never allocates by a claim. */
const EVENT_LIMITS = {
  /** Bytes of a record's body. */
  bodyBytesMax: 16_384,
  /** Bytes of a text or byte-string field. */
  fieldBytesMax: 4_096,
  /** Characters of a text that is written. */
  textCharactersMax: 1_000,
  /** Bytes of a type's name. */
  typeBytesMax: 64,
} as const;

/** A body taken apart; `payload` is its canonical bytes. */
export type DecodedBody = { readonly timeMs: number; readonly type: string; readonly payload: Uint8Array };

/**
 * Canonical CBOR of [timeMs, type, payload]: what is stored and hashed.
 *
 * @param payload what `encodePayload` made of the event; texts beyond their bound are a defect of the caller
 */
export function encodeBody(timeMs: number, type: string, payload: Uint8Array): Uint8Array {
  const body = new CborWriter(256).array(3).uint(timeMs).text(type).raw(payload).finish();
  assert(body.length <= EVENT_LIMITS.bodyBytesMax, "an event's body fits its bound");
  return body;
}

/** Reads what `encodeBody` writes; a type unknown here keeps its payload as bytes. */
export function decodeBody(body: Uint8Array): Result<DecodedBody, "malformed"> {
  if (body.length > EVENT_LIMITS.bodyBytesMax) return err("malformed");
  const r = new CborReader(body);
  if (r.array(3) !== 3) r.reject();
  const timeMs = r.uint();
  const type = r.text(1, EVENT_LIMITS.typeBytesMax);
  const payload = body.subarray(r.offset);
  if (r.isBroken || payload.length === 0) return err("malformed");
  if (findEventSchema(type) && !decodePayload(type, payload).ok) return err("malformed");
  return ok({ timeMs, type, payload });
}

/**
 * Canonical CBOR of a payload: a map from each field's number to its value, absent fields left out. Texts may come from
 * anywhere (an error's message), so one beyond its bound is cut; bytes beyond theirs are a defect of the caller.
 */
export function encodePayload(event: Event): Uint8Array {
  const schema = findEventSchema(event.type);
  assert(schema !== undefined, "an event that is written has a schema");
  const values: Readonly<Record<string, FieldValue | undefined>> = event.payload;
  const fields = Object.entries(schema.fields);
  const w = new CborWriter(192).map(fields.filter(([name]) => values[name] !== undefined).length);
  for (const [position, [name, spec]] of fields.entries()) {
    const value = values[name];
    assert(value !== undefined || isOptional(spec), "an event's payload has every field that is not optional");
    if (value !== undefined) writeField(w.uint(position + 1), value);
  }
  return w.finish();
}

/**
 * Reads a payload by its type's schema into fields by name.
 *
 * Errors: `unknownType` when this release has no schema for it, `malformed` when the bytes do not fit it.
 */
export function decodePayload(
  type: string,
  payload: Uint8Array,
): Result<Readonly<Record<string, FieldValue>>, "unknownType" | "malformed"> {
  const fields = FIELDS_OF.get(type);
  if (!fields) return err("unknownType");
  const r = new CborReader(payload);
  const pairs = r.map(fields.length);
  const values: Record<string, FieldValue> = {};
  let found = 0;
  for (const [position, { name, kind, mayBeAbsent }] of fields.entries()) {
    if (mayBeAbsent) {
      if (!r.optionalKey(position + 1)) continue;
    } else r.key(position + 1);
    values[name] = readField(r, kind);
    found++;
  }
  return r.isComplete && pairs === found ? ok(values) : err("malformed");
}

/** Each type's fields in order, taken apart once: an aggregator reads every payload of a fleet. */
const FIELDS_OF: ReadonlyMap<string, readonly { readonly name: string; readonly kind: FieldKind; readonly mayBeAbsent: boolean }[]> =
  new Map(
    Object.entries(EVENT_SCHEMAS).map(([type, { fields }]) => [
      type,
      Object.entries(fields).map(([name, spec]) => ({ name, kind: kindOf(spec), mayBeAbsent: isOptional(spec) })),
    ]),
  );

/** The kind of a field, whether or not it may be absent. */
export function kindOf(spec: FieldSpec): FieldKind {
  return (isOptional(spec) ? spec.slice(0, -1) : spec) as FieldKind;
}

function isOptional(spec: FieldSpec): boolean {
  return spec.endsWith("?");
}

function writeField(w: CborWriter, value: FieldValue): void {
  if (typeof value === "number" || typeof value === "bigint") w.uint(value);
  else if (typeof value === "boolean") w.bool(value);
  else if (typeof value === "string") w.text(clip(value));
  else {
    assert(value.length <= EVENT_LIMITS.fieldBytesMax, "a byte string of an event fits its bound");
    w.bytes(value);
  }
}

/** A text of at most `textCharactersMax` characters, which in UTF-8 are at most three bytes each; a cut one ends in three dots. */
function clip(text: string): string {
  if (text.length <= EVENT_LIMITS.textCharactersMax) return text.toWellFormed();
  return `${text.slice(0, EVENT_LIMITS.textCharactersMax - 3)}...`.toWellFormed();
}

function readField(r: CborReader, kind: FieldKind): FieldValue {
  switch (kind) {
    case "uint":
    case "time":
      return r.uint();
    case "u64":
      return r.uint64();
    case "bytes":
      return r.bytes(0, EVENT_LIMITS.fieldBytesMax);
    case "text":
      return r.text(0, EVENT_LIMITS.fieldBytesMax);
    case "flag":
      return r.bool();
    default:
      return unreachable(kind);
  }
}
