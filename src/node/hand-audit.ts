import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type EventLog, event } from "../events/index.ts";
import { nodeFileSystem } from "../storage/index.ts";
import { HOME } from "./home.ts";
import { systemClock } from "./ports.ts";

/** Something that was done to a home by hand, or between two runs of its node, and belongs into its audit lane. */
export type HandAct = {
  /** `operator` for a command, `node` for what the node does to itself between two runs. */
  readonly actor: "operator" | "node";
  readonly action: string;
  /** What it was done to: a key, a backup. */
  readonly target: string;
  readonly outcome: "done" | "refused";
  readonly detail: string;
};

const schema = z.strictObject({
  atMs: z.int().min(0),
  actor: z.enum(["operator", "node"]),
  action: z.string(),
  target: z.string(),
  outcome: z.enum(["done", "refused"]),
  detail: z.string(),
});

/** Where the carried ones are counted. */
const SOURCE = "byHand";

/**
 * Notes an act while the node is stopped, durably, before the act takes effect: one line of JSON in the home. The node's next
 * start carries it into the vital lane, once (DR-12). The file stays.
 */
export function noteByHand(home: string, act: HandAct): void {
  const path = join(home, HOME.handAudit);
  const isNew = !existsSync(path);
  // A line that a power cut broke off stays a line of its own.
  const start = isNew || readFileSync(path, "utf8").endsWith("\n") ? "" : "\n";
  const file = openSync(path, "a", 0o600);
  try {
    writeSync(file, `${start}${JSON.stringify({ atMs: systemClock.nowMs(), ...act })}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (isNew) nodeFileSystem.syncDirectory(home);
}

/** Carries what was noted into the vital lane, each line once, however often it is called. */
export function carryHandAudit(home: string, events: Pick<EventLog, "appendCritFrom">): void {
  const path = join(home, HOME.handAudit);
  if (!existsSync(path)) return;
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  for (const [index, line] of lines.entries()) {
    const act = parse(line);
    const { atMs, ...noted } = act ?? {
      atMs: 0,
      actor: "operator",
      action: "unknown",
      target: HOME.handAudit,
      outcome: "done",
      detail: "a line that was cut off",
    };
    const detail = act ? `${noted.detail} (at ${new Date(atMs).toISOString()})` : noted.detail;
    events.appendCritFrom(SOURCE, index + 1, event("audit.recorded", { ...noted, detail }));
  }
}

function parse(line: string): z.infer<typeof schema> | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a line that was cut off
    return undefined;
  }
}
