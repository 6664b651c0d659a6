import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TextFile } from "./sizes.ts";

/** The project's folder. */
export const PROJECT_ROOT = dirname(dirname(import.meta.dir));

/** What no commit holds, at any depth. */
const LEFT_OUT: ReadonlySet<string> = new Set([".git", "node_modules", "dist", ".bizra", ".toolchain"]);

/** Every file of the working tree, relative to the project, sorted. */
export function projectPaths(): string[] {
  const under = (folder: string): string[] =>
    readdirSync(join(PROJECT_ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (LEFT_OUT.has(entry.name)) return [];
      return entry.isDirectory() ? under(path) : [path];
    });
  return under("").sort();
}

/** A file's text. */
export function readText(path: string): TextFile {
  return { path, text: readFileSync(join(PROJECT_ROOT, path), "utf8") };
}
