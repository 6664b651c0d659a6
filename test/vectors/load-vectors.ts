import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseHex, present } from "../../src/kernel/index.ts";

/** Reads a JSON file below test/vectors. The caller names the shape it trusts these fixed files to have. */
export function loadVectors<T>(path: string): T {
  return JSON.parse(readFileSync(join(import.meta.dir, path), "utf8")) as T;
}

/** Bytes spelled in hexadecimal by a vector file. */
export function hexBytes(hex: string): Uint8Array {
  return present(parseHex(hex), "a vector is spelled in hexadecimal");
}
