import type { CancelTimer, Timers } from "../../src/kernel/index.ts";

/** Longest delay that timers take: 2^31-1 ms. */
const STEP_MS = 2_000_000_000;

/** As `timers.after`, for delays of any length. */
export function afterLong(timers: Timers, delayMs: number, action: () => void): CancelTimer {
  if (delayMs <= STEP_MS) return timers.after(delayMs, action);
  let cancel = timers.after(STEP_MS, () => {
    cancel = afterLong(timers, delayMs - STEP_MS, action);
  });
  return () => cancel();
}
