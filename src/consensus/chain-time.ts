import type { CoreState } from "./state.ts";

/**
 * The time that agreement goes by: the wall clock, or the last final block's time plus what has elapsed since, whichever
 * is later. A box whose clock is unset must not nullify the world.
 *
 * @see consensus R16
 */
function chainNowMs(core: CoreState): number {
  return Math.max(core.wallMs, core.tip.timeMs + Math.floor(core.nowMs - core.tipAtMs));
}

/** Milliseconds until a header's time is no longer in the future, 0 when it is not. */
export function waitForTimeMs(core: CoreState, timeMs: number): number {
  return Math.max(0, timeMs - core.config.timers.clockDriftMs - chainNowMs(core));
}

/** The time a leader gives its block (R16). */
export function nextBlockTimeMs(core: CoreState, parentTimeMs: number): number {
  return Math.max(Math.floor(chainNowMs(core)), parentTimeMs + 1);
}
