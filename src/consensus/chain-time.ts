import type { CoreState } from "./state.ts";

/**
 * The time that agreement goes by: the wall clock, unless it is behind the chain's own time by more than the drift, which
 * shows that it is unset. Then the last final block's time plus what has elapsed since: a box without a real-time clock
 * must not nullify the world. A sound wall clock decides alone: were the later of the two taken, each block stamped as
 * late as allowed would move the limit of the next.
 *
 * @see consensus R16
 */
function chainNowMs(core: CoreState): number {
  const carriedMs = core.tip.timeMs + Math.floor(core.nowMs - core.tipAtMs);
  return core.wallMs >= carriedMs - core.config.timers.clockDriftMs ? core.wallMs : carriedMs;
}

/**
 * Milliseconds until a header's time is no longer in the future, 0 when it is not. The least time above a notarized parent
 * never is: were it, a block that a quorum of wrong clocks notarized would hold up everyone until their clocks had come there.
 */
export function waitForTimeMs(core: CoreState, timeMs: number, parentTimeMs: number): number {
  if (timeMs === parentTimeMs + 1) return 0;
  return Math.max(0, timeMs - core.config.timers.clockDriftMs - chainNowMs(core));
}

/** The time a leader gives its block (R16). */
export function nextBlockTimeMs(core: CoreState, parentTimeMs: number): number {
  return Math.max(Math.floor(chainNowMs(core)), parentTimeMs + 1);
}
