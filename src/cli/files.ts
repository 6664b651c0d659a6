import { readFileSync } from "node:fs";
import { CommandFailure } from "./command.ts";

/** The bytes of a file a person named; a sentence when it cannot be read. */
export function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path === "-" ? 0 : path));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error; // file errors carry a code
    throw new CommandFailure(`expected a readable file at ${path}, got ${String(error.code)}; check the path and its permissions`);
  }
}

/** The UTF-8 text of a file a person named. */
export function readText(path: string): string {
  return new TextDecoder().decode(readBytes(path));
}
