import type { Finding } from "./finding.ts";
import { lineFinder } from "./lines.ts";
import type { TextFile } from "./sizes.ts";

/**
 * Places that hold on one machine only. The patterns are pieced together so that this file does not object to itself.
 * Registry hosts are out because every user's npm knows its own.
 */
const PLACES: readonly { readonly pattern: RegExp; readonly message: string }[] = [
  { pattern: new RegExp(`(?<![\\w.-])/${"work"}/\\w`, "g"), message: "a folder of one machine; the project knows only paths of its own" },
  { pattern: new RegExp(`\\.\\./${"shared"}\\b`, "g"), message: "a neighbour of the repository; copy what is needed, with its source" },
  {
    pattern: new RegExp(`\\b(${"regis"}try\\.[a-z][\\w-]*\\.[a-z]{2,}|npm${"js"}\\.(org|com)|yarn${"pkg"}\\.com)`, "g"),
    message: "a registry host; leave the choice to the user's npm",
  },
];

/** No text names a place that only one machine or one company has. */
export function checkForeignPlaces(files: readonly TextFile[]): Finding[] {
  return files.flatMap(({ path, text }) => {
    const lineOf = lineFinder(text);
    return PLACES.flatMap(({ pattern, message }) =>
      [...text.matchAll(pattern)].map((found) => ({ path, line: lineOf(found.index), message: `"${found[0]}" is ${message}` })),
    );
  });
}
