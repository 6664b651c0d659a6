import { assert, type Clock, type Entropy, type Timers } from "../kernel/index.ts";

/** Longest delay that timers of browsers and Node take without firing at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The platform's clocks, in browsers, Node and Bun alike. */
export const deviceClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** The platform's timers; a browser's tab in the background may be slowed to one a minute. */
export const deviceTimers: Timers = {
  after(delayMs, action) {
    assert(delayMs >= 0 && delayMs <= DELAY_MS_MAX, "a timer's delay lies within what the platform can wait");
    const handle = setTimeout(action, delayMs);
    return () => clearTimeout(handle);
  },
};

/** The platform's generator, fit for keys. */
export const deviceEntropy: Entropy = { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };

/** Resolves after at least this many milliseconds. */
export function pause(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve));
}
