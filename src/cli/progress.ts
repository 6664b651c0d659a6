import { systemClock } from "../node/index.ts";
import type { Terminal } from "./terminal.ts";

const QUIET_MS = 2_000;
const BAR_WIDTH = 30;

/**
 * Shows how far something is once it takes longer than two seconds: a bar that is redrawn on a terminal, a plain line now
 * and then elsewhere.
 */
export function progressOf(terminal: Terminal): (step: string, done: number, total: number) => void {
  const startedMs = systemClock.monotonicMs();
  let shownMs = startedMs;
  return (step, done, total) => {
    const nowMs = systemClock.monotonicMs();
    const everyMs = terminal.isInteractive ? 100 : 5_000;
    if (nowMs - startedMs < QUIET_MS || nowMs - shownMs < everyMs) return;
    shownMs = nowMs;
    const share = total === 0 ? 1 : done / total;
    const filled = Math.round(share * BAR_WIDTH);
    const line = `${step} ${done} of ${total}`;
    if (terminal.isInteractive)
      process.stderr.write(`\r[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${line}${done >= total ? "\n" : ""}`);
    else terminal.note(line);
  };
}
