import { z } from "zod";
import { err, ok, type Result } from "../../src/kernel/index.ts";

/** Channels by name; an operator publishes releases to the first two, and the third is none. */
export const CHANNELS = ["stable", "beta", "none"] as const;

/** Hours of the day in UTC, in minutes since midnight; `to` before `from`: over midnight. */
export type UpdateWindow = { readonly from: number; readonly to: number };

/** Which releases a box takes without a person, and when. */
export type UpdatePolicy = {
  readonly channel: (typeof CHANNELS)[number];
  /** Absent: at any time. */
  readonly window?: UpdateWindow;
  /** Folder of the channels; absent: the aggregator's. */
  readonly url?: string;
};

/** A box that was told nothing takes nothing by itself. */
export const NO_POLICY: UpdatePolicy = { channel: "none" };

const schema = z.strictObject({
  channel: z.enum(CHANNELS),
  window: z
    .string()
    .regex(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/)
    .exactOptional(),
  url: z
    .string()
    .max(2_000)
    .regex(/^https?:\/\//)
    .exactOptional(),
});

/** Reads what provisioning wrote; an error as a sentence part. @see docs/provisioning.md */
export function parseUpdatePolicy(text: string): Result<UpdatePolicy, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return err("expected JSON");
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) return err("expected channel as stable, beta or none, window as 02:00-05:00 in UTC, url as http(s)");
  const { channel, window, url } = parsed.data;
  const [from, to] = (window ?? "").split("-").map(minuteOf);
  return ok({ channel, ...(from !== undefined && to !== undefined && { window: { from, to } }), ...(url !== undefined && { url }) });
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(":");
  return Number(hours) * 60 + Number(minutes);
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** When the window that a moment lies in was opened and is closed, in ms of UTC; undefined: it is closed. */
export function openWindow({ from, to }: UpdateWindow, nowMs: number): { readonly fromMs: number; readonly toMs: number } | undefined {
  const lengthMs = ((to - from + 1_440) % 1_440) * MINUTE_MS;
  const midnightMs = Math.floor(nowMs / DAY_MS) * DAY_MS;
  for (const dayMs of [midnightMs, midnightMs - DAY_MS]) {
    const fromMs = dayMs + from * MINUTE_MS;
    if (nowMs >= fromMs && nowMs < fromMs + lengthMs) return { fromMs, toMs: fromMs + lengthMs };
  }
  return undefined;
}

/** What looking for releases goes by, from one moment to the next. */
export type LookState = {
  /** The window that `dueMs` was drawn for, by its opening; 0 without a window. */
  readonly windowMs: number;
  /** When the channel is asked next, on the clock that never goes back. */
  readonly dueMs: number;
  /** Looks in a row that did not reach the channel. */
  readonly failures: number;
};

/** What is known at a moment. `monotonicMs` never goes back; `draw` is random, 0 <= draw < 1. */
export type LookFacts = {
  readonly monotonicMs: number;
  readonly nowMs: number;
  readonly isClockTrusted: boolean;
  readonly draw: number;
};

/** Without a window a channel is asked this often, and first within an hour: boxes that lost their power together do not ask together. */
const EVERY_MS = 6 * 3_600_000;
const FIRST_WITHIN_MS = 3_600_000;
/** Within a window the first look falls into its first half, and into no more than two hours of it. */
const SPREAD_MAX_MS = 2 * 3_600_000;
/** After a look that did not reach the channel. */
const RETRY = { firstMs: 5 * MINUTE_MS, maxMs: 3_600_000 } as const;

/** Why a box does not do by itself now what an update needs, as a sentence part; undefined: it may. */
export function findReasonToWait({ channel, window }: UpdatePolicy, nowMs: number, isClockTrusted: boolean): string | undefined {
  if (channel === "none") return "no channel is set, and a person is waited for";
  if (window === undefined) return undefined;
  if (!isClockTrusted) return "there is a window of time, and the clock is not known to be right";
  return openWindow(window, nowMs) ? undefined : "the window of time is closed";
}

/**
 * Whether the channel is to be asked now, and how things stand then. A look is due once in each window, at a moment drawn at
 * random; without a window every six hours, give or take. `afterLook` says when it is tried again.
 */
export function planLook(
  state: LookState | undefined,
  policy: UpdatePolicy,
  facts: LookFacts,
): { readonly state: LookState | undefined; readonly isDue: boolean } {
  const { monotonicMs, nowMs, isClockTrusted, draw } = facts;
  if (findReasonToWait(policy, nowMs, isClockTrusted) !== undefined) return { state: undefined, isDue: false };
  const window = policy.window && openWindow(policy.window, nowMs);
  const windowMs = window?.fromMs ?? 0;
  if (state?.windowMs === windowMs) return { state, isDue: monotonicMs >= state.dueMs };
  const withinMs = window ? Math.max(0, Math.min(SPREAD_MAX_MS, (window.toMs - nowMs) / 2)) : FIRST_WITHIN_MS;
  return { state: { windowMs, dueMs: monotonicMs + draw * withinMs, failures: 0 }, isDue: false };
}

/** How things stand after a look; `isReached`: the channel answered, whatever it said. */
export function afterLook(state: LookState, isReached: boolean, { monotonicMs, draw }: Pick<LookFacts, "monotonicMs" | "draw">): LookState {
  const failures = isReached ? 0 : state.failures + 1;
  const retryMs = Math.min(RETRY.maxMs, RETRY.firstMs * 2 ** Math.min(20, state.failures));
  const waitMs = isReached ? EVERY_MS : retryMs;
  return { ...state, failures, dueMs: monotonicMs + waitMs * (0.5 + draw / 2) };
}
