import { err, ok, present, type Result } from "../kernel/index.ts";
import type { ConfigurationFault, Place } from "./fault.ts";
import { findNearest } from "./nearest.ts";
import { CONFIGURATION_VERSION, type Configuration, NAMED_SETTINGS, type NamedSetting } from "./settings.ts";

/** What one file says, parsed but unchecked. */
export type DocumentSource = { readonly path: string; readonly text: string; readonly document: Readonly<Record<string, unknown>> };

/** Everything that may set a value, weakest first: defaults, document, environment, flags. */
export type Sources = {
  readonly document?: DocumentSource;
  /** Environment variables; only names that start with BIZRA_ are looked at. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Flags by name without dashes, e.g. `http-listen`. */
  readonly flags: Readonly<Record<string, string>>;
};

/** A checked configuration and where each value came from, by dotted key. */
export type ResolvedConfiguration = { readonly values: Configuration; readonly places: ReadonlyMap<string, Place> };

/** Environment variables of the BIZRA_ family that are no settings. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(["BIZRA_HOME", "BIZRA_PASSPHRASE"]);

type Layered = { readonly values: Map<string, unknown>; readonly places: Map<string, Place>; readonly faults: ConfigurationFault[] };

/** Lays the sources over one another and checks each value where it stands. Every fault is reported, not only the first. */
export function resolveConfiguration(sources: Sources): Result<ResolvedConfiguration, readonly ConfigurationFault[]> {
  const layered: Layered = { values: new Map(), places: new Map(), faults: [] };
  for (const named of NAMED_SETTINGS) {
    layered.values.set(named.key, named.setting.fallback);
    layered.places.set(named.key, { kind: "default" });
  }
  if (sources.document) layDocument(layered, sources.document);
  layEnvironment(layered, sources.environment);
  layFlags(layered, sources.flags);
  checkRelations(layered);
  return layered.faults.length > 0 ? err(layered.faults) : ok({ values: nest(layered.values), places: layered.places });
}

function layDocument(layered: Layered, { path, text, document }: DocumentSource): void {
  const { version, ...sections } = document;
  if (version !== CONFIGURATION_VERSION) {
    const line = findLine(text, undefined, "version");
    const remedy =
      version === undefined
        ? `add the line version = ${CONFIGURATION_VERSION} at the top`
        : "use the program that wrote it, or write it anew";
    layered.faults.push({
      place: { kind: "file", path, ...line },
      key: "version",
      expected: String(CONFIGURATION_VERSION),
      got: version === undefined ? "nothing" : String(version),
      remedy,
    });
  }
  for (const [section, content] of Object.entries(sections)) {
    const known = NAMED_SETTINGS.filter((named) => named.section === section);
    const place: Place = { kind: "file", path, ...findLine(text, section, undefined) };
    if (known.length === 0) {
      layered.faults.push(unknownKey(place, section, "a known section", unique(NAMED_SETTINGS.map((named) => named.section))));
    } else if (!isTable(content)) {
      layered.faults.push({
        place,
        key: section,
        expected: "a table",
        got: JSON.stringify(content) ?? "nothing",
        remedy: `write [${section}] and its keys below it`,
      });
    } else laySection(layered, { path, text, document: content }, section, known);
  }
}

function laySection(layered: Layered, { path, text, document }: DocumentSource, section: string, known: readonly NamedSetting[]): void {
  for (const [name, value] of Object.entries(document)) {
    const place: Place = { kind: "file", path, ...findLine(text, section, name) };
    const named = known.find((candidate) => candidate.name === name);
    if (named) lay(layered, named, place, named.setting.check(value));
    else
      layered.faults.push(
        unknownKey(
          place,
          `${section}.${name}`,
          "a known key",
          known.map((candidate) => candidate.key),
        ),
      );
  }
}

function layEnvironment(layered: Layered, environment: Sources["environment"]): void {
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith("BIZRA_") || OTHER_VARIABLES.has(name) || text === undefined) continue;
    const place: Place = { kind: "variable", name };
    const named = NAMED_SETTINGS.find((candidate) => candidate.variable === name);
    if (named) lay(layered, named, place, named.setting.checkText(text));
    else
      layered.faults.push(
        unknownKey(
          place,
          undefined,
          "the name of a setting",
          NAMED_SETTINGS.map((candidate) => candidate.variable),
          name,
        ),
      );
  }
}

function layFlags(layered: Layered, flags: Sources["flags"]): void {
  for (const [flag, text] of Object.entries(flags)) {
    const place: Place = { kind: "flag", name: flag };
    const named = NAMED_SETTINGS.find((candidate) => candidate.flag === flag);
    if (named) lay(layered, named, place, named.setting.checkText(text));
    else
      layered.faults.push(
        unknownKey(
          place,
          undefined,
          "the name of a setting",
          NAMED_SETTINGS.map((candidate) => candidate.flag),
          flag,
        ),
      );
  }
}

function lay(layered: Layered, named: NamedSetting, place: Place, checked: Result<unknown, string>): void {
  if (checked.ok) {
    layered.values.set(named.key, checked.value);
    layered.places.set(named.key, place);
    return;
  }
  const { expected, fallback, show } = named.setting;
  const remedy = `change it, or remove it to use the default ${JSON.stringify(show(fallback))}`;
  layered.faults.push({ place, key: named.key, expected, got: checked.error, remedy });
}

/** Relations between settings that no single one can check. */
const RELATIONS: readonly { readonly lower: string; readonly upper: string }[] = [
  { lower: "storage.freeBytesMin", upper: "storage.freeBytesWarn" },
  { lower: "storage.freeBytesReserve", upper: "storage.freeBytesMin" },
  { lower: "mempool.accountBytesMax", upper: "mempool.bytesMax" },
  { lower: "mempool.accountTransactionsMax", upper: "mempool.transactionsMax" },
  { lower: "mempool.sourceBytesMax", upper: "mempool.bytesMax" },
  { lower: "mempool.sourceTransactionsMax", upper: "mempool.transactionsMax" },
];

function checkRelations({ values, places, faults }: Layered): void {
  for (const { lower, upper } of RELATIONS) {
    const [low, high] = [Number(values.get(lower)), Number(values.get(upper))];
    if (low <= high) continue;
    const lowerPlace = present(places.get(lower), "every setting has a place");
    const place = lowerPlace.kind === "default" ? present(places.get(upper), "every setting has a place") : lowerPlace;
    faults.push({
      place,
      key: lower,
      expected: `at most ${upper} (${high})`,
      got: String(low),
      remedy: `lower ${lower} or raise ${upper}`,
    });
  }
}

function unknownKey(place: Place, key: string | undefined, expected: string, known: readonly string[], got?: string): ConfigurationFault {
  const unknown = got ?? key ?? "";
  const nearest = findNearest(unknown, known);
  const remedy = nearest === undefined ? "remove it" : `write ${nearest} if that is meant, or remove it`;
  return { place, ...(key === undefined ? {} : { key }), expected, got: JSON.stringify(unknown.slice(0, 80)), remedy };
}

/** The line (from 1) that sets a key or opens a section, found by its words; nothing when the text spells it in another way. */
function findLine(text: string, section: string | undefined, name: string | undefined): { readonly line?: number } {
  let current: string | undefined;
  for (const [index, line] of text.split("\n").entries()) {
    const header = /^\s*\[\s*([A-Za-z0-9_-]+)\s*\]/.exec(line);
    if (header) current = header[1];
    if (header && current === section && name === undefined) return { line: index + 1 };
    const key = /^\s*([A-Za-z0-9_-]+)\s*=/.exec(line)?.[1];
    if (key === undefined) continue;
    const isFound = name === undefined ? current === undefined && key === section : current === section && key === name;
    if (isFound) return { line: index + 1 };
  }
  return {};
}

function nest(values: ReadonlyMap<string, unknown>): Configuration {
  const nested: Record<string, Record<string, unknown>> = {};
  for (const { section, name, key } of NAMED_SETTINGS) nested[section] = { ...nested[section], [name]: values.get(key) };
  return nested as Configuration;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function unique(words: readonly string[]): readonly string[] {
  return [...new Set(words)];
}
