/** A JSON Schema of the served document, as far as our schemas use it. */
type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly format?: string;
  readonly description?: string;
  readonly example?: unknown;
};

type Parameter = { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: Schema };
type Media = { readonly schema: Schema };
type Operation = {
  readonly operationId: string;
  readonly deprecated?: boolean;
  readonly parameters?: readonly Parameter[];
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
};

/** An OpenAPI document. */
export type OpenApi = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
};

const KNOWN = [
  "$ref",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "propertyNames",
  "items",
  "anyOf",
  "oneOf",
  "allOf",
  "enum",
  "const",
  "pattern",
  "minimum",
  "maximum",
  "minItems",
  "format",
  "description",
  "example",
  "default",
];

/** What in a value does not fit a schema, by JSON path. A property that no schema names is a finding, too. */
function checkValue(document: OpenApi, schema: Schema, value: unknown, at = "$"): string[] {
  const unknown = Object.keys(schema).filter((keyword) => !KNOWN.includes(keyword));
  if (unknown.length > 0) return [`${at}: the check does not know ${unknown.join()}`];
  if (schema.$ref !== undefined) {
    const target = document.components.schemas[schema.$ref.replace("#/components/schemas/", "")];
    return target ? checkValue(document, target, value, at) : [`${at}: ${schema.$ref} is not in the document`];
  }
  if (schema.allOf) return checkValue(document, mergeAll(document, schema.allOf), value, at);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    const failures = choices.map((choice) => checkValue(document, choice, value, at));
    return failures.some((failure) => failure.length === 0) ? [] : failures.flat();
  }
  if (schema.enum && !schema.enum.includes(value)) return [`${at}: ${JSON.stringify(value)} is not one of ${schema.enum.join()}`];
  if (schema.const !== undefined && schema.const !== value)
    return [`${at}: ${JSON.stringify(value)} is not ${JSON.stringify(schema.const)}`];
  switch (schema.type) {
    case "object":
      return checkObject(document, schema, value, at);
    case "array":
      if (!Array.isArray(value)) return [`${at}: no array`];
      if (value.length < (schema.minItems ?? 0)) return [`${at}: too few items`];
      return value.flatMap((item, i) => checkValue(document, schema.items ?? {}, item, `${at}[${i}]`));
    case "string":
      if (typeof value !== "string") return [`${at}: no string`];
      return schema.pattern === undefined || new RegExp(schema.pattern).test(value)
        ? []
        : [`${at}: ${value} does not match ${schema.pattern}`];
    case "integer":
    case "number":
      if (typeof value !== "number" || (schema.type === "integer" && !Number.isSafeInteger(value))) return [`${at}: no ${schema.type}`];
      return value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity) ? [`${at}: ${value} is out of range`] : [];
    case "boolean":
      return typeof value === "boolean" ? [] : [`${at}: no boolean`];
    case undefined:
      return [];
    default:
      return [`${at}: the check does not know type ${String(schema.type)}`];
  }
}

function checkObject(document: OpenApi, schema: Schema, value: unknown, at: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${at}: no object`];
  const missing = (schema.required ?? []).filter((name) => !(name in value)).map((name) => `${at}: ${name} is missing`);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const known = schema.properties?.[name] ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined);
    if (known) return checkValue(document, known, member, `${at}.${name}`);
    return schema.additionalProperties === true ? [] : [`${at}: ${name} is not in the schema`];
  });
  return [...missing, ...members];
}

function mergeAll(document: OpenApi, parts: readonly Schema[]): Schema {
  const resolved = parts.map((part) =>
    part.$ref === undefined ? part : (document.components.schemas[part.$ref.replace("#/components/schemas/", "")] ?? part),
  );
  const properties = Object.assign({}, ...resolved.map((part) => part.properties ?? {}));
  const merged: Schema = Object.assign({}, ...resolved, { required: resolved.flatMap((part) => part.required ?? []) });
  return Object.keys(properties).length > 0 ? { ...merged, properties } : merged;
}

/** The operation that a request belongs to, or undefined. */
export function findOperation(
  document: OpenApi,
  method: string,
  path: string,
): { readonly template: string; readonly operation: Operation } | undefined {
  const templates = Object.keys(document.paths).sort((a, b) => a.split("{").length - b.split("{").length);
  for (const template of templates) {
    const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+").replaceAll(".", "\\.")}$`);
    const operation = document.paths[template]?.[method.toLowerCase()];
    if (operation && pattern.test(path)) return { template, operation };
  }
  return undefined;
}

/** What in an answer is not as the document says: its status, its media type, its body. */
export async function checkAnswer(document: OpenApi, method: string, path: string, response: Response): Promise<string[]> {
  const found = findOperation(document, method, path);
  if (!found) return [`${method} ${path}: not in the document`];
  const documented = found.operation.responses[String(response.status)];
  const place = `${method} ${found.template} ${response.status}`;
  if (!documented) return [`${place}: not documented`];
  const mediaType = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
  const media = documented.content?.[mediaType];
  if (!media) return [`${place}: media type "${mediaType}" is not documented`];
  if (!mediaType.endsWith("json")) return [];
  return checkValue(document, media.schema, await response.json()).map((finding) => `${place}: ${finding}`);
}
