import { assert, type Clock, type Entropy, type Timers } from "../../kernel/index.ts";

/** Longest delay that a browser's timers take without firing at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The browser's clocks. */
export const pageClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The browser's timers; a tab in the background may be slowed to one a minute. */
export const pageTimers: Timers = {
  after(delayMs, action) {
    assert(delayMs >= 0 && delayMs <= DELAY_MS_MAX, "a timer's delay lies within what a browser can wait");
    const handle = setTimeout(action, delayMs);
    return () => clearTimeout(handle);
  },
};

/** The browser's generator. */
export const pageEntropy: Entropy = { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };

/** Resolves after at least this many milliseconds. */
export function pause(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve));
}
