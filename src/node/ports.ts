import { assert, type Clock, type Entropy, type Timers } from "../kernel/index.ts";

/** Longest delay of the runtime's timers, about 24.8 days; longer ones would fire at once. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** This machine's clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** This machine's timers. A pending one keeps the process alive. */
export const systemTimers: Timers = {
  after(delayMs, action) {
    assert(delayMs >= 0 && delayMs <= DELAY_MS_MAX, "a timer's delay lies within what the runtime can wait");
    const handle = setTimeout(action, delayMs);
    return () => clearTimeout(handle);
  },
};

/** The operating system's generator. */
export const systemEntropy: Entropy = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};

/** Resolves after at least this many milliseconds. */
export function pause(timers: Timers, delayMs: number): Promise<void> {
  return new Promise((resolve) => void timers.after(delayMs, resolve));
}
