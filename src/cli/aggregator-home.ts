import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** An aggregator's witness key, in its home. */
export const WITNESS_KEY = "keys/witness.json";

/** Its certificate authority, in its home. */
export const AUTHORITY_KEY = "keys/authority.json";

/** Where a running aggregator takes commands of this machine, in its home. */
export const DESK_SOCKET = "desk.sock";

/** The passphrase of those keys, where `up` made it. */
export const AGGREGATOR_PASSPHRASE = "keys/passphrase";

/** The password of the console's first user, where `up` made it. */
export const CONSOLE_PASSWORD = "keys/console-password";

/** Name of the console's user that `up` makes. */
export const CONSOLE_USER = "admin";

const RUN = "run.json";

/** Where a running aggregator answers. */
export type AggregatorAddress = { readonly pid: number; readonly http: string };

/** Leaves word of where this process answers. */
export function announceAggregator(home: string, running: AggregatorAddress): void {
  writeFileSync(join(home, RUN), `${JSON.stringify(running)}\n`, { mode: 0o600 });
}

/** Takes the word back. */
export function withdrawAggregator(home: string): void {
  rmSync(join(home, RUN), { force: true });
}

/** What the last aggregator of a home left word of; it may have ended since. */
export function findAggregator(home: string): AggregatorAddress | undefined {
  const path = join(home, RUN);
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
