import { appendFileSync, existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { z } from "zod";
import type { CancelTimer, Log, Timers } from "../../../src/kernel/index.ts";
import { type AggregatorStore, type AuditEntry, StoreUnavailable } from "../types.ts";

/** File in an aggregator's home with changes of its users that are not in the audit yet, a line of JSON each. */
export const USER_CHANGES_FILE = "console-user-changes.jsonl";

/** How often it is looked at. */
const LOOK_MS = 2_000;

const entrySchema = z.strictObject({
  atMs: z.int().min(0),
  actor: z.string().max(256),
  action: z.string().max(64),
  target: z.string().max(256),
  outcome: z.string().max(64),
  detail: z.string().max(256),
});

/**
 * Lays down a change of the users for the audit, before the change is made: a command has no way to the store of an
 * aggregator that runs, and one that does not run must not lose it.
 *
 * @throws Error with an errno code when the disk does not take it
 */
export function noteUserChange(path: string, entry: AuditEntry): void {
  appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600, flush: true });
}

/** What moving changes into the audit stands on. */
export type UserChangesParts = {
  readonly path: string;
  readonly store: Pick<AggregatorStore, "addAudit">;
  readonly timers: Timers;
  readonly log: Log;
  readonly onDefect: (error: unknown) => void;
};

/**
 * Moves changes of the users into the audit, in order, at least once: the file goes when its last line is in the audit. It is put aside first and
 * read at the next look, so that a command that had just opened it is done by then.
 */
export class UserChanges {
  readonly #parts: UserChangesParts;
  #cancel: CancelTimer | undefined;
  #isStopped = false;

  constructor(parts: UserChangesParts) {
    this.#parts = parts;
  }

  /** Begins to look. */
  start(): void {
    this.#cancel = this.#parts.timers.after(LOOK_MS, () => {
      this.look().then(
        () => {
          if (!this.#isStopped) this.start();
        },
        (error: unknown) => this.#parts.onDefect(error),
      );
    });
  }

  /** Stops; what is not moved stays for the next start. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Moves what was put aside, then puts aside what has come since. */
  async look(): Promise<void> {
    const { path, store, log } = this.#parts;
    const aside = `${path}.taken`;
    if (existsSync(aside)) {
      try {
        for (const line of readFileSync(aside, "utf8").split("\n")) {
          const entry = line === "" ? undefined : parse(line);
          if (entry) await store.addAudit(entry);
          else if (line !== "") log.warn("aggregator.userChange", { line: "a line of changes cannot be read and is left out" });
        }
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error; // it stays, and is moved once the store is back
        return;
      }
      rmSync(aside, { force: true });
    }
    if (existsSync(path)) renameSync(path, aside);
  }
}

function parse(line: string): AuditEntry | undefined {
  try {
    return entrySchema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}
