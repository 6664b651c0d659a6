import { join } from "node:path";
import { buildBinary } from "../../../.ci/build.ts";
import { stampOfTree } from "../../../.ci/stamp.mjs";

/** Releases that do not work, by the file that they are compiled from (broken/), and what is wrong with each. */
export const BROKEN = {
  exits: "a program that ends at once",
  "node-exits": "a node that ends at once",
  "node-hangs": "a node that never gets healthy",
} as const;

/** One of them. */
export type BrokenKind = keyof typeof BROKEN;

/** Compiles the program of a broken release; gives its path. */
export async function compileBroken(kind: BrokenKind, folder: string): Promise<string> {
  const outfile = join(folder, `bizra-${kind}`);
  const entry = join(import.meta.dir, "broken", `${kind}.ts`);
  await buildBinary({ entryPoints: [entry], root: join(import.meta.dir, "../../.."), outfile, stamp: stampOfTree() });
  return outfile;
}
