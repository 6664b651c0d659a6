import { z } from "zod";
import { err, ok, type Result } from "../kernel/index.ts";

/** One configurable value: how it is checked, read from text and shown, and what it is when nothing sets it. */
export type Setting<T> = {
  /** What the value is for, in one sentence; units and effect included. */
  readonly doc: string;
  /** What is accepted, as the words after "expected". */
  readonly expected: string;
  /** Value in force when no source sets it; `undefined` values are never used. */
  readonly fallback: T;
  /** How node.toml spells the value: whether its text stands in quotes there. */
  readonly isQuoted: boolean;
  /** Checks a value of the configuration file; the error is what came instead. */
  readonly check: (value: unknown) => Result<T, string>;
  /** Checks a value given as text (environment variable, flag). */
  readonly checkText: (text: string) => Result<T, string>;
  /** The value as a person would write it; what `checkText` reads back. */
  readonly show: (value: T) => string;
};

/** A host and a TCP port to listen on; port 0 lets the system choose. */
export type ListenAddress = { readonly host: string; readonly port: number };

/** A whole number in min..max; the unit is the last word of its key. */
export function integerSetting(options: { min: number; max: number; fallback: number; doc: string }): Setting<number> {
  const schema = z.int().min(options.min).max(options.max);
  return settingOf(schema, {
    doc: options.doc,
    expected: `a whole number from ${options.min} to ${options.max}`,
    fallback: options.fallback,
    isQuoted: false,
    fromText: (text) => (/^\d{1,16}$/.test(text) ? Number(text) : text),
    show: String,
  });
}

/** Yes or no: `true` or `false`. */
export function flagSetting(options: { fallback: boolean; doc: string }): Setting<boolean> {
  return settingOf(z.boolean(), {
    doc: options.doc,
    expected: "true or false",
    fallback: options.fallback,
    isQuoted: false,
    fromText: (text) => (text === "true" || text === "false" ? text === "true" : text),
    show: String,
  });
}

/** One word of a fixed list. */
export function choiceSetting<const T extends readonly [string, ...string[]]>(options: {
  choices: T;
  fallback: T[number];
  doc: string;
}): Setting<T[number]> {
  const schema: z.ZodType<T[number]> = z.enum(options.choices);
  return settingOf(schema, {
    doc: options.doc,
    expected: `one of ${options.choices.map((choice) => JSON.stringify(choice)).join(", ")}`,
    fallback: options.fallback,
    isQuoted: true,
    fromText: (text) => text,
    show: (value) => value,
  });
}

/** Text that a pattern describes. */
export function textSetting(options: { pattern: RegExp; expected: string; fallback: string; doc: string }): Setting<string> {
  return settingOf(z.string().max(4096).regex(options.pattern), {
    doc: options.doc,
    expected: options.expected,
    fallback: options.fallback,
    isQuoted: true,
    fromText: (text) => text,
    show: (value) => value,
  });
}

/** A list of words that a pattern describes: an array in node.toml, or one text with commas or spaces between the words. */
export function listSetting(options: { pattern: RegExp; expected: string; itemsMax: number; doc: string }): Setting<readonly string[]> {
  const items = z.array(z.string().regex(options.pattern)).max(options.itemsMax);
  const schema: z.ZodType<readonly string[]> = z.preprocess((value) => (typeof value === "string" ? wordsOf(value) : value), items);
  return settingOf(schema, {
    doc: options.doc,
    expected: `up to ${options.itemsMax} of ${options.expected}, as a list or separated by commas`,
    fallback: [],
    isQuoted: true,
    fromText: (text) => text,
    show: (value) => value.join(","),
  });
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

/** `host:port`, an IPv6 host in brackets. */
export function listenSetting(options: { fallback: ListenAddress; doc: string }): Setting<ListenAddress> {
  const schema: z.ZodType<ListenAddress> = z.string().transform((text, context) => {
    const address = parseListenAddress(text);
    if (address) return address;
    context.addIssue({ code: "custom", message: "not host:port" });
    return z.NEVER;
  });
  return settingOf(schema, {
    doc: options.doc,
    expected: 'an address and a port such as "127.0.0.1:8645" or "[::1]:8645" (port 0: any free one)',
    fallback: options.fallback,
    isQuoted: true,
    fromText: (text) => text,
    show: formatListenAddress,
  });
}

/** `host:port`, or `off` for not listening. */
export function optionalListenSetting(options: { doc: string }): Setting<ListenAddress | undefined> {
  const schema: z.ZodType<ListenAddress | undefined> = z.string().transform((text, context) => {
    const address = parseListenAddress(text);
    if (address || text === "off") return address;
    context.addIssue({ code: "custom", message: "neither host:port nor off" });
    return z.NEVER;
  });
  return settingOf(schema, {
    doc: options.doc,
    expected: 'an address and a port such as "127.0.0.1:1883" (port 0: any free one), or "off"',
    fallback: undefined,
    isQuoted: true,
    fromText: (text) => text,
    show: (value) => (value ? formatListenAddress(value) : "off"),
  });
}

/** The text form of a listen address. */
export function formatListenAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `host:port`, an IPv6 host in brackets; undefined when it is neither. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9][A-Za-z0-9.-]{0,252})):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host !== undefined && port <= 65_535 ? { host, port } : undefined;
}

type SettingParts<T> = Omit<Setting<T>, "check" | "checkText"> & { readonly fromText: (text: string) => unknown };

function settingOf<T>(schema: z.ZodType<T>, parts: SettingParts<T>): Setting<T> {
  const check = (value: unknown): Result<T, string> => {
    const parsed = schema.safeParse(value);
    return parsed.success ? ok(parsed.data) : err(describeValue(value));
  };
  const { fromText, ...rest } = parts;
  return { ...rest, check, checkText: (text) => check(fromText(text)) };
}

/** What came, short enough for a sentence. */
function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a table";
  const text = JSON.stringify(value);
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}
