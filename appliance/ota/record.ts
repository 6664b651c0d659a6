import { z } from "zod";
import { utf8 } from "../../src/kernel/index.ts";
import { type FileSystem, replaceFile } from "../../src/storage/index.ts";
import { UPDATE_CODES, type UpdateState } from "./types.ts";

const text = z.string().max(4_096);
const trouble = z.strictObject({ code: z.enum(UPDATE_CODES), detail: text });
const source = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("file"), path: text }),
  z.strictObject({ kind: z.literal("url"), url: text }),
]);
const order = z.strictObject({
  source,
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional(),
  isUnattended: z.boolean(),
});
const bundle = z.strictObject({ version: text, compatible: text });
const isUnattended = z.literal(true).exactOptional();
const attempts = z.int().min(1).max(1_000);
const row = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("idle"), last: trouble.exactOptional() }),
  z.strictObject({ kind: z.literal("downloading"), order }),
  z.strictObject({ kind: z.literal("verifying"), order, path: text }),
  z.strictObject({ kind: z.literal("installing"), path: text, bundle, attempts, isUnattended }),
  z.strictObject({ kind: z.literal("rebooting"), bundle, bootId: text, isAsked: z.boolean(), hadAggregator: z.boolean(), isUnattended }),
  z.strictObject({ kind: z.literal("probation"), version: text, needsAggregator: z.boolean() }),
  z.strictObject({ kind: z.literal("returning"), version: text, trouble, bootId: text, attempts }),
  z.strictObject({ kind: z.literal("good"), version: text }),
  z.strictObject({ kind: z.literal("rolledBack"), version: text, trouble }),
]);
const schema = z.strictObject({ schema: z.literal(1), row, floor: text, failed: z.array(text).max(64) });

/** Reads a record; undefined when it is none of this release's. */
export function parseUpdateRecord(content: string): UpdateState | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(content));
    if (!parsed.success) return undefined;
    const { schema: _schema, ...state } = parsed.data;
    return state;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
}

/** Writes a state as a record. */
export function encodeUpdateRecord(state: UpdateState): string {
  return `${JSON.stringify({ schema: 1, ...state })}\n`;
}

/** Where an update's state is kept: one small file, replaced whole and synced. */
export class UpdateRecord {
  readonly #fs: FileSystem;
  readonly #path: string;

  constructor(fs: FileSystem, path: string) {
    this.#fs = fs;
    this.#path = path;
  }

  /** What is kept; `damaged` when something is there that cannot be read. @throws StorageError */
  load(): UpdateState | "absent" | "damaged" {
    if (this.#fs.stat(this.#path) === undefined) return "absent";
    return parseUpdateRecord(new TextDecoder().decode(this.#fs.readFile(this.#path))) ?? "damaged";
  }

  /** Keeps a state; durable when it returns. @throws StorageError, then the state before is kept */
  save(state: UpdateState): void {
    replaceFile(this.#fs, this.#path, utf8(encodeUpdateRecord(state)));
  }
}
