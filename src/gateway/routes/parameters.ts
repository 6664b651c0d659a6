import { z } from "@hono/zod-openapi";
import { parseHex } from "../../kernel/index.ts";
import { formatAddress, parseAddress } from "../../protocol/index.ts";
import type { EventCursor } from "../ports.ts";
import { laneSchema } from "../schemas/resources.ts";

/** A 32-byte id in the path, as 64 hex digits; upper case is taken too. */
export const hash32Parameter = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, "expected 32 bytes as 64 hex digits")
  .transform((text) => parseHex(text) ?? new Uint8Array(32))
  .openapi({ type: "string", pattern: "^[0-9a-fA-F]{64}$", example: "9f".repeat(32) });

/** An account's address in the path, as the account's key. */
export const addressParameter = z
  .string()
  .transform((text, context) => {
    const key = parseAddress(text);
    if (key.ok) return key.value;
    context.addIssue({ code: "custom", message: "expected a bech32m address with prefix bz" });
    return z.NEVER;
  })
  .openapi({ type: "string", example: formatAddress(new Uint8Array(32).fill(7)) });

/** Which lane to tell; the chain unless said otherwise. */
export const laneParameter = laneSchema.optional().openapi({ description: "Lane of the event log; chain when absent" });

const CURSOR = /^(?:(\d{1,15})\.)?(\d{1,15})$/;

/** A place in a lane: `epoch.sequence`, or a sequence of the first epoch alone. */
export const cursorParameter = z
  .string()
  .regex(CURSOR, "expected epoch.sequence, as the cursor of an event gives it")
  .transform((text): EventCursor => parseCursor(text) ?? { epoch: 1, sequence: 0 })
  .optional()
  .openapi({ type: "string", pattern: CURSOR.source, description: "Tell what follows this place", example: "1.42" });

/** Reads a cursor's text; undefined when it is none. */
export function parseCursor(text: string): EventCursor | undefined {
  const match = CURSOR.exec(text);
  return match ? { epoch: Number(match[1] ?? 1), sequence: Number(match[2]) } : undefined;
}
