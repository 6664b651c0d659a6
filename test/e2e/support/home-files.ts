/** The files of a home at rest, and harm done to them. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Chance } from "./chance.ts";

/** What a running node leaves and nobody relies on (locks besides), and the operator's own text, in which any letter may be meant. */
const NOT_RELIED_ON: ReadonlySet<string> = new Set(["run.json", "node.log", "node.toml"]);

/** Paths of all files of a home that it relies on, relative to it, in order. */
export function filesOf(home: string): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !NOT_RELIED_ON.has(entry.name) && !/(^|\.)lock$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(home.length + 1))
    .sort();
}

/** Harm to one file. */
export type Harm =
  | { readonly kind: "flip"; readonly offset: number; readonly bit: number }
  | { readonly kind: "delete" }
  | { readonly kind: "halve" }
  | { readonly kind: "empty" };

/** The harm in words. */
export function describeHarm(harm: Harm): string {
  return harm.kind === "flip" ? `bit ${harm.bit} of byte ${harm.offset} flipped` : `${harm.kind}d`.replace("emptyd", "emptied");
}

/** Does harm to a file of a home. */
export function doHarm(home: string, file: string, harm: Harm): void {
  const path = join(home, file);
  switch (harm.kind) {
    case "flip": {
      const content = readFileSync(path);
      content[harm.offset] = (content[harm.offset] ?? 0) ^ (1 << harm.bit);
      writeFileSync(path, content);
      return;
    }
    case "delete":
      rmSync(path);
      return;
    case "halve":
      truncateSync(path, Math.floor(statSync(path).size / 2));
      return;
    case "empty":
      truncateSync(path, 0);
  }
}

/**
 * Bytes from the start of a file that mean something. A write-ahead log of SQLite is written over from its beginning, so
 * what lies behind the frames of its present generation (those with the salts of its header) is left from an earlier one.
 *
 * @see https://www.sqlite.org/fileformat2.html#walformat
 */
export function liveBytes(path: string): number {
  const content = readFileSync(path);
  if (!path.endsWith("-wal") || content.length < 32) return content.length;
  const salts = content.subarray(16, 24);
  const frame = 24 + content.readUInt32BE(8);
  let end = 32;
  while (end + frame <= content.length && content.subarray(end + 8, end + 16).equals(salts)) end += frame;
  return end;
}

/** Single bits across a file: its first bytes, its middle, its last bytes and anywhere, in equal parts. */
export function sampleFlips(sizeBytes: number, count: number, chance: Chance): Harm[] {
  if (sizeBytes === 0) return [];
  const regions = [
    [0, Math.min(100, sizeBytes) - 1],
    [Math.floor(sizeBytes * 0.45), Math.floor(sizeBytes * 0.55)],
    [Math.max(0, sizeBytes - 120), sizeBytes - 1],
    [0, sizeBytes - 1],
  ] as const;
  const offsets = new Set<number>();
  for (let i = 0; i < count; i++) {
    const [from, to] = regions[i % regions.length] ?? regions[0];
    offsets.add(Math.min(sizeBytes - 1, chance.between(from, to)));
  }
  return [...offsets].map((offset) => ({ kind: "flip", offset, bit: chance.between(0, 7) }));
}

/** Whether the second half of a file is nothing but zeros, space laid out ahead that may be missing without harm. */
export function isHalfEmpty(path: string): boolean {
  const content = readFileSync(path);
  return content.subarray(content.length >> 1).every((byte) => byte === 0);
}

/** Whether a text names a file: by its path in the home, or by the database or log that it is a part of. */
export function names(text: string, file: string): boolean {
  return text.includes(/^([a-z]+\.db|journal|batches|index)/.exec(file)?.[0] ?? file);
}
