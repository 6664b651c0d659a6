/** A JSON object, as read. */
export type Json = { readonly [name: string]: unknown };

/** Whether a value is a JSON object. */
export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The JSON object that a text spells, or undefined. */
export function parseJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value) ? value : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // how JSON.parse reports malformed text
    return undefined;
  }
}

/** An unsigned quantity under a name, a decimal string or a safe whole number; else undefined. */
export function wideIn(json: Json, name: string): bigint | undefined {
  const value = json[name];
  if (typeof value === "string" && /^\d{1,20}$/.test(value)) return BigInt(value);
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/** A text under a name, or the empty one. */
export function textIn(json: Json, name: string): string {
  const value = json[name];
  return typeof value === "string" ? value : "";
}
