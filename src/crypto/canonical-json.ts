import { err, ok, type Result } from "../kernel/index.ts";

/** Nesting beyond which a value is refused, so that hostile input cannot exhaust the stack. */
export const JSON_DEPTH_MAX = 64;

/**
 * The one RFC 8785 text of a JSON value: no space, keys in the order of their UTF-16 units, numbers and strings as
 * ECMAScript writes them. Takes null, booleans, finite numbers, strings, arrays and plain objects, e.g. what JSON.parse
 * gives; anything else (undefined, bigint, NaN, a lone surrogate, a Date, nesting deeper than `JSON_DEPTH_MAX`) is
 * `notJson`. Hash the UTF-8 of the text.
 *
 * @see RFC 8785
 */
export function canonicalJson(value: unknown): Result<string, "notJson"> {
  const text = write(value, 0);
  return text === undefined ? err("notJson") : ok(text);
}

function write(value: unknown, depth: number): string | undefined {
  switch (typeof value) {
    case "boolean":
      return value ? "true" : "false";
    case "number":
      return Number.isFinite(value) ? JSON.stringify(value) : undefined;
    case "string":
      return writeString(value);
    case "object":
      if (value === null) return "null";
      if (depth === JSON_DEPTH_MAX) return undefined;
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      return undefined;
  }
}

function writeString(text: string): string | undefined {
  return text.isWellFormed() ? JSON.stringify(text) : undefined;
}

function writeArray(items: readonly unknown[], depth: number): string | undefined {
  const texts: string[] = [];
  for (const item of items) {
    const text = write(item, depth);
    if (text === undefined) return undefined;
    texts.push(text);
  }
  return `[${texts.join(",")}]`;
}

function writeObject(object: object, depth: number): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  const texts: string[] = [];
  // The default order of sort compares UTF-16 units, which is what RFC 8785 section 3.2.3 asks for.
  for (const [key, value] of Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = writeString(key);
    const text = write(value, depth);
    if (name === undefined || text === undefined) return undefined;
    texts.push(`${name}:${text}`);
  }
  return `{${texts.join(",")}}`;
}
