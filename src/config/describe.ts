import { assert } from "../kernel/index.ts";
import { formatPlace } from "./fault.ts";
import type { ResolvedConfiguration } from "./resolve.ts";
import { CONFIGURATION_VERSION, type Configuration, NAMED_SETTINGS } from "./settings.ts";

/** One effective value with its source, as text. */
export type DescribedSetting = { readonly key: string; readonly value: string; readonly source: string; readonly doc: string };

/** Every effective value with where it came from, in the order of the table: what `doctor` and `node --help` print. */
export function describeConfiguration(configuration: ResolvedConfiguration): readonly DescribedSetting[] {
  return NAMED_SETTINGS.map(({ section, name, key, setting }) => ({
    key,
    value: setting.show(effectiveValue(configuration.values, section, name)),
    source: formatPlace(configuration.places.get(key) ?? { kind: "default" }),
    doc: setting.doc,
  }));
}

/** Values to set in a new node.toml, by dotted key, each as text. */
export type TemplateValues = Readonly<Record<string, string>>;

/**
 * The text of a node.toml that sets these values and lists every other setting as a comment with its default and help.
 * The caller gives known keys and values that their settings accept.
 */
export function renderNodeToml(values: TemplateValues): string {
  const lines = [
    "# Configuration of a BIZRA node. BIZRA_* variables override it, flags override both.",
    `version = ${CONFIGURATION_VERSION}`,
  ];
  const unused = new Set(Object.keys(values));
  let section = "";
  for (const named of NAMED_SETTINGS) {
    if (named.section !== section) lines.push("", `[${named.section}]`);
    section = named.section;
    const given = values[named.key];
    unused.delete(named.key);
    const checked = given === undefined ? undefined : named.setting.checkText(given);
    assert(checked?.ok !== false, `the template is given ${named.setting.expected} for ${named.key}`);
    const text = named.setting.show(checked ? checked.value : named.setting.fallback);
    const literal = named.setting.isQuoted ? JSON.stringify(text) : text;
    lines.push(`# ${named.setting.doc} Expected: ${named.setting.expected}.`, `${checked ? "" : "# "}${named.name} = ${literal}`);
  }
  assert(unused.size === 0, `the template is given known settings, unlike ${[...unused].join(", ")}`);
  return `${lines.join("\n")}\n`;
}

function effectiveValue(values: Configuration, section: string, name: string): unknown {
  const settings: Readonly<Record<string, Readonly<Record<string, unknown>>>> = values;
  return settings[section]?.[name];
}
