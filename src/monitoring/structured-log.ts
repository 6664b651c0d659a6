import { pino } from "pino";
import type { Clock, Log, LogFields } from "../kernel/index.ts";
import { redactField } from "./redaction.ts";

/** Least level that is written. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Where and how lines are written. */
export type LogOptions = {
  readonly level: LogLevel;
  readonly clock: Clock;
  /** Takes one whole line with its line break; process.stdout in a node. */
  readonly destination: { write(line: string): void };
  /** Fields of every line, e.g. the node's id. */
  readonly fields?: LogFields;
};

/** A log whose least level can be changed while it is written to. */
export type AdjustableLog = Log & { setLevel(level: LogLevel): void };

/**
 * A structured log: one JSON object a line with `level`, `time` (RFC 3339 UTC), the fields and `event`. Written
 * synchronously to a plain stream, because worker transports do not survive compilation into one binary. Secrets are
 * masked by name and by form.
 */
export function createLog({ level, clock, destination, fields = {} }: LogOptions): AdjustableLog {
  const logger = pino(
    {
      level,
      base: redactFields(fields),
      messageKey: "event",
      timestamp: () => `,"time":"${new Date(clock.nowMs()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  const write = (at: LogLevel) => (event: string, given?: LogFields) => logger[at](given ? redactFields(given) : {}, event);
  const setLevel = (least: LogLevel): void => {
    logger.level = least;
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error"), setLevel };
}

/** Field names that the line itself uses; a field of that name would stand twice in the object. */
const RESERVED: ReadonlySet<string> = new Set(["level", "time", "event"]);

function redactFields(fields: LogFields): Record<string, string | number | boolean> {
  const written: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    written[RESERVED.has(name) ? `${name}_` : name] = redactField(name, typeof value === "bigint" ? value.toString() : value);
  }
  return written;
}
