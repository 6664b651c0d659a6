import { posix } from "node:path";
import type { Finding } from "./finding.ts";
import { lineFinder } from "./lines.ts";
import type { TextFile } from "./sizes.ts";

type Link = { readonly target: string; readonly line: number };

/** Links between documents lead somewhere, and every file of docs/ can be reached from README.md. */
export function checkDocuments(documents: readonly TextFile[], paths: readonly string[]): Finding[] {
  const existing = new Set(paths.flatMap((path) => [path, ...foldersOf(path)]));
  const links = new Map(documents.map((document) => [document.path, linksOf(document)]));
  const broken = [...links].flatMap(([path, targets]) =>
    targets
      .filter(({ target }) => !existing.has(target))
      .map(({ target, line }) => ({ path, line, message: `links to ${target}, which does not exist` })),
  );
  const reached = new Set<string>();
  const pending = ["README.md"];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    pending.push(...(links.get(path) ?? []).map(({ target }) => target));
  }
  const lost = paths
    .filter((path) => path.startsWith("docs/") && ![path, ...foldersOf(path)].some((place) => place !== "docs" && reached.has(place)))
    .map((path) => ({ path, line: 0, message: "no link leads here from README.md; link it where a reader would look for it" }));
  return [...broken, ...lost];
}

function foldersOf(path: string): string[] {
  const parent = posix.dirname(path);
  return parent === "." ? [] : [parent, ...foldersOf(parent)];
}

/** The files that a document's Markdown links name, as paths in the project; links to the outside and within the page are left out. */
function linksOf({ path, text }: TextFile): Link[] {
  const lineOf = lineFinder(text);
  const withoutCode = text.replace(/```[\s\S]*?```|`[^`\n]*`/g, (code) => code.replace(/[^\n]/g, " "));
  return [...withoutCode.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)].flatMap(({ 1: raw = "", index }) => {
    const target = raw.split("#")[0] ?? "";
    if (target === "" || /^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
    const place = posix.normalize(posix.join(posix.dirname(path), target)).replace(/\/$/, "");
    return [{ target: place, line: lineOf(index) }];
  });
}
