import type { TemplateValues } from "./describe.ts";
import { NAMED_SETTINGS } from "./settings.ts";

/**
 * The text of a node.toml with some settings changed and all else as it was: the line that sets one, or the commented
 * line of the template, is replaced; where there is none, one is added to its section. Whoever writes the result checks it
 * first: a value that stands over several lines is not understood here.
 *
 * @param values known keys, each with text that its setting accepts
 */
export function changeNodeToml(text: string, values: TemplateValues): string {
  let lines = text.split("\n");
  for (const [key, value] of Object.entries(values)) {
    const named = NAMED_SETTINGS.find((setting) => setting.key === key);
    if (!named) continue;
    const checked = named.setting.checkText(value);
    const shown = checked.ok ? named.setting.show(checked.value) : value;
    lines = withLine(lines, named.section, named.name, `${named.name} = ${named.setting.isQuoted ? JSON.stringify(shown) : shown}`);
  }
  return lines.join("\n");
}

function withLine(lines: readonly string[], section: string, name: string, line: string): string[] {
  const header = lines.findIndex((text) => text.trim() === `[${section}]`);
  if (header < 0) return [...lines, `[${section}]`, line, ""];
  const next = lines.findIndex((text, at) => at > header && /^\s*\[/.test(text));
  const end = next < 0 ? lines.length : next;
  const isIt = (text: string, opening: RegExp): boolean => text.replace(opening, "").trimStart().startsWith(`${name} =`);
  const inSection = (opening: RegExp) =>
    lines.findIndex((text, at) => at > header && at < end && opening.test(text) && isIt(text, opening));
  const set = inSection(/^\s*/);
  const at = set >= 0 ? set : inSection(/^\s*#\s*/);
  return at >= 0 ? lines.map((text, index) => (index === at ? line : text)) : lines.toSpliced(header + 1, 0, line);
}
