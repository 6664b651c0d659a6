import { findNearest } from "../../src/config/index.ts";
import type { JsonObject, JsonValue } from "./json-reader.ts";

/** Judges one value: gives what it means, or adds a sentence to `faults` and gives undefined. */
export type Field<T> = (value: JsonValue | undefined, path: string, faults: string[]) => T | undefined;

/** What a mistake in a field is told with. */
export type FieldOptions = {
  /** The words after "expected", e.g. "a host name such as mill-7". */
  readonly expected: string;
  /** Whether the value must never be shown. */
  readonly isSecret?: boolean;
};

/** A text that a rule takes. `judge` gives the meaning, or undefined; or a sentence of its own by throwing none and returning `{ fault }`. */
export function textField<T extends string>(options: FieldOptions, judge: (text: string) => T | undefined): Field<T> {
  return (value, path, faults) => {
    const judged = typeof value === "string" ? judge(value) : undefined;
    if (judged === undefined) faults.push(faultOf(value, path, options));
    return judged;
  };
}

/** A value that is one of a few. */
export function choiceField<T extends string | number>(choices: readonly T[]): Field<T> {
  const expected = choices.map((choice) => JSON.stringify(choice)).join(" or ");
  return (value, path, faults) => {
    const chosen = choices.find((choice) => choice === value);
    if (chosen === undefined) faults.push(faultOf(value, path, { expected }));
    return chosen;
  };
}

/** A list of values without two that are equal. */
export function listField<T>(
  item: Field<T>,
  { min, max, of }: { readonly min: number; readonly max: number; readonly of: string },
): Field<readonly T[]> {
  return (value, path, faults) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      faults.push(faultOf(value, path, { expected: `a list of ${min} to ${max} ${of}` }));
      return undefined;
    }
    const before = faults.length;
    const items = value.flatMap((each: JsonValue, at) => {
      const judged = item(each, `${path}[${at}]`, faults);
      return judged === undefined ? [] : [judged];
    });
    const twice = items.findIndex((each, at) => items.indexOf(each) !== at);
    if (faults.length === before && twice >= 0) faults.push(`${path}[${twice}]: expected each of the list once; remove one of the two.`);
    return faults.length === before ? items : undefined;
  };
}

/** What a field may be left out for: undefined means that it was. */
export function optional<T>(field: Field<T>): Field<T> {
  return (value, path, faults) => (value === undefined ? undefined : field(value, path, faults));
}

/** The fields of an object, judged; one that is not in the table is a mistake. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<NonNullable<T[K]>> };

/**
 * An object with exactly these fields, those that are optional aside.
 *
 * @param of what it is, for a sentence, e.g. "provision.json"
 */
export function objectField<T extends object>(of: string, fields: Fields<T>): Field<T> {
  return (value, path, faults) => {
    if (!isObject(value)) {
      const example = Object.keys(fields)
        .slice(0, 2)
        .map((name) => `"${name}": ...`)
        .join(", ");
      faults.push(faultOf(value, path, { expected: `an object, { ${example} }` }));
      return undefined;
    }
    const before = faults.length;
    const known = Object.keys(fields);
    for (const name of value.keys()) {
      if (known.includes(name)) continue;
      const near = findNearest(name, known);
      const hint = near === undefined ? `it knows ${known.join(", ")}` : `did you mean ${near}?`;
      faults.push(
        `${join(path, printable(name))}: expected no such field in ${path === "" ? of : path}; ${hint.endsWith("?") ? hint : `${hint}.`}`,
      );
    }
    const judged: Record<string, unknown> = {};
    for (const [name, field] of Object.entries<Field<unknown>>(fields)) {
      const result = field(value.get(name), join(path, name), faults);
      if (result !== undefined) judged[name] = result;
    }
    return faults.length === before ? (judged as T) : undefined; // each field came out of the judge of its type
  };
}

/** A mistake as a sentence: the field, what is right, what came. */
export function faultOf(value: JsonValue | undefined, path: string, { expected, isSecret = false }: FieldOptions): string {
  const place = path === "" ? "provision.json" : path;
  return `${place}: expected ${expected}, got ${shown(value, isSecret)}.`;
}

/** A text in printable ASCII: what any editor and terminal shows as it is. */
export function asciiOf(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What somebody wrote, in ASCII and in 80 characters at most. */
function printable(text: string): string {
  const escaped = asciiOf(text.slice(0, 81));
  return escaped.length > 80 ? `${escaped.slice(0, 77)}...` : escaped;
}

function shown(value: JsonValue | undefined, isSecret: boolean): string {
  if (value === undefined) return "nothing; the field is missing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (isObject(value)) return "an object";
  if (isSecret) return typeof value === "string" ? `a text of ${value.length} characters, which is not shown` : `a ${typeof value}`;
  return typeof value === "string" ? `"${printable(value)}"` : String(value);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
