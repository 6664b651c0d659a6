import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandFailure } from "./command.ts";

/** Files and folders of a node's home. */
export const HOME = {
  configuration: "node.toml",
  genesis: "genesis.json",
  validatorKey: "keys/validator.json",
  identityKey: "keys/identity.json",
  passphrase: "keys/passphrase",
  journal: "journal",
  /** Where a running node answers; removed when it stops. */
  run: "run.json",
} as const;

/** Where a running node answers. */
export type RunningNode = { readonly pid: number; readonly http: string };

/** Writes a file for its owner's eyes alone, making its folder; refuses to replace one. */
export function writeNew(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(path, content, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new CommandFailure(
      `expected no file at ${path}, but there is one; it is left as it is. Choose another place, or move it away first`,
    );
  }
}

/** The running node of a home, or undefined when none left its address there. */
export function findRunningNode(home: string): RunningNode | undefined {
  const path = join(home, HOME.run);
  if (!existsSync(path)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    if (typeof value !== "object" || value === null || !("pid" in value) || !("http" in value)) return undefined;
    return typeof value.pid === "number" && typeof value.http === "string" ? { pid: value.pid, http: value.http } : undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a half-written file is as good as none
    return undefined;
  }
}
