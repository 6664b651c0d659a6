import type { Finding } from "./finding.ts";
import { countLines } from "./lines.ts";

/** A text with its place. */
export type TextFile = { readonly path: string; readonly text: string };

/** A file that needs more lines holds more than one thing. */
export const LINES_MAX = 500;

/** No source file is longer than LINES_MAX lines. */
export function checkSizes(files: readonly TextFile[]): Finding[] {
  return files.flatMap(({ path, text }) => {
    const lines = countLines(text);
    return lines <= LINES_MAX
      ? []
      : [{ path, line: 0, message: `has ${lines} lines, at most ${LINES_MAX} are wanted; split it by what it decides` }];
  });
}

/** How the sizes of some files spread, in lines. */
export type SizeFigures = {
  readonly files: number;
  readonly lines: number;
  readonly median: number;
  readonly p90: number;
  readonly longest: number;
};

/** The spread of the files' sizes; zeros for no files. */
export function sizeFigures(files: readonly TextFile[]): SizeFigures {
  const sizes = files.map(({ text }) => countLines(text)).sort((a, b) => a - b);
  const at = (share: number): number => sizes[Math.min(sizes.length - 1, Math.floor(sizes.length * share))] ?? 0;
  return { files: sizes.length, lines: sizes.reduce((sum, lines) => sum + lines, 0), median: at(0.5), p90: at(0.9), longest: at(1) };
}
