import { z } from "zod";

const schema = z.object({ online: z.boolean(), timestamp: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER) });

/** What an edge node knows of its primary host on one connection. */
export type HostState = { readonly isOnline: boolean; readonly timestampMs: number };

/** Before the first STATE message of a connection. */
export const UNKNOWN_HOST: HostState = { isOnline: false, timestampMs: 0 };

/**
 * Takes a STATE message in: JSON `{"online":bool,"timestamp":ms}`. One that is older than the last is not for this state,
 * a late word of an earlier session of the host, and neither is one that cannot be read.
 */
export function onHostState(state: HostState, payload: Uint8Array): HostState {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(payload));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // a SyntaxError is how JSON.parse reports malformed text
    return state;
  }
  const parsed = schema.safeParse(json);
  if (!parsed.success || parsed.data.timestamp < state.timestampMs) return state;
  return { isOnline: parsed.data.online, timestampMs: parsed.data.timestamp };
}
