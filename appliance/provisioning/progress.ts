import { z } from "zod";
import type { ProvisionDocument } from "./document.ts";

/**
 * How far a box is: `factory` nothing yet; `keyed` it has keys of its own; `claimed` somebody gave it a plan; `enrolled` the
 * aggregator certified it, or the plan has none; `ready` nothing is left to do.
 */
export const PROVISION_STATES = ["factory", "keyed", "claimed", "enrolled", "ready"] as const;

/** One of `PROVISION_STATES`. */
export type ProvisionState = (typeof PROVISION_STATES)[number];

/** What a box is known by. */
export type PublicKeys = {
  /** Hex. */
  readonly validator: string;
  /** Hex. */
  readonly identity: string;
  readonly node: string;
};

/** What is durable of provisioning: everything that a decision rests on beside what lies on the medium and in the home. */
export type Progress = {
  readonly version: 1;
  readonly state: ProvisionState;
  /** The console's one-time code; empty while there is none. */
  readonly adminCode: string;
  /** Whether the file that asks for a new code has been answered, and only has to go. */
  readonly isCodeAnswered: boolean;
  /** The plan taken last, with its token only while that is needed. */
  readonly plan?: ProvisionDocument;
  /** SHA-256 of the file that it came from, hex. */
  readonly hash?: string;
  /** Whether the plan is in force on this box. */
  readonly isApplied: boolean;
  /** Where a refused plan leads back to. */
  readonly origin: "keyed" | "ready";
  /** The file that an aggregator refused, and why: it is not tried again. */
  readonly refusal?: { readonly hash: string; readonly sentence: string };
};

/** The progress of a box that has done nothing yet. */
export const FACTORY: Progress = { version: 1, state: "factory", adminCode: "", isCodeAnswered: false, isApplied: false, origin: "keyed" };

const schema = z.strictObject({
  version: z.literal(1),
  state: z.enum(PROVISION_STATES),
  adminCode: z.string(),
  isCodeAnswered: z.boolean(),
  plan: z
    .custom<ProvisionDocument>((value) => typeof value === "object" && value !== null && "hostname" in value && "chain" in value)
    .optional(),
  hash: z.string().optional(),
  isApplied: z.boolean(),
  origin: z.enum(["keyed", "ready"]),
  refusal: z.strictObject({ hash: z.string(), sentence: z.string() }).optional(),
});

/** The progress as it is kept. */
export function encodeProgress(progress: Progress): string {
  return `${JSON.stringify(progress)}\n`;
}

/** Reads what `encodeProgress` writes; undefined when it is something else, as after damage to the disk. */
export function parseProgress(text: string): Progress | undefined {
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    return parsed.success ? (parsed.data as Progress) : undefined; // the plan was judged before it was kept
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // how JSON.parse reports a damaged text
    return undefined;
  }
}
