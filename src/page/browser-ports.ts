import type { Clock, Timers } from "../kernel/index.ts";

/** The browser's clocks. */
export const browserClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The browser's timers. */
export const browserTimers: Timers = {
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs);
    return () => clearTimeout(handle);
  },
};
