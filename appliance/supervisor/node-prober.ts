import type { Timers } from "../../src/kernel/index.ts";
import type { HealthAnswers, NodeWord } from "./health.ts";

/** So long one answer may take. */
const ANSWER_LIMIT_MS = 3_000;

/**
 * Asks a node how it is, over HTTP.
 *
 * @param http where it answers; undefined while it has not said
 */
export async function askNode(http: string | undefined, timers: Timers): Promise<HealthAnswers> {
  if (http === undefined) return { isLive: undefined, word: undefined };
  const ended = new AbortController();
  const cancel = timers.after(ANSWER_LIMIT_MS, () => ended.abort());
  try {
    const live = await fetch(`${http}/livez`, { signal: ended.signal, redirect: "error" });
    await live.arrayBuffer(); // or the connection is not used again
    if (!live.ok) return { isLive: false, word: undefined };
    const status = await fetch(`${http}/api/v2/status`, { signal: ended.signal, redirect: "error" });
    return { isLive: true, word: status.ok ? parseWord(await status.json()) : undefined };
  } catch (error) {
    if (!(error instanceof Error)) throw error; // refused, cut off, too late, or no JSON: no answer
    return { isLive: undefined, word: undefined };
  } finally {
    cancel();
  }
}

/** Reads what health goes by out of a status; undefined when it is none. */
function parseWord(value: unknown): NodeWord | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("role" in value && "height" in value && "syncState" in value && "time" in value)) return undefined;
  const { role, height, syncState, time } = value;
  if (typeof role !== "string" || typeof height !== "number" || typeof syncState !== "string" || typeof time !== "string") return undefined;
  return { role, height, syncState, time };
}
