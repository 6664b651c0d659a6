import type { HardwareReport } from "./types.ts";

/** Bounds beyond which a person should know. */
const HARDWARE_BOUNDS = { usedPercentWarn: 80, usedPercentMax: 100, celsiusWarn: 80, clockErrorMsMax: 500 } as const;

/** Something of the hardware that a person should know. */
export type HardwareFinding = { readonly severity: "error" | "warning" | "notice"; readonly detail: string };

/** What is wrong with the hardware, the most urgent first; each a sentence that says what to do. */
export function findingsOf({ storage, readOnly, thermal, clock, watchdog }: HardwareReport): readonly HardwareFinding[] {
  const { usedPercentWarn, usedPercentMax, celsiusWarn, clockErrorMsMax } = HARDWARE_BOUNDS;
  const found: HardwareFinding[] = [];
  const say = (severity: HardwareFinding["severity"], detail: string): void => void found.push({ severity, detail });
  for (const point of readOnly)
    say("error", `${point} cannot be written to, as when its disk fails; look at the kernel's log, and replace the disk`);
  for (const { device, usedPercent = 0, reserve, isHealthy } of storage) {
    if (isHealthy === false) say("error", `${device} says that it fails; replace it now`);
    if (reserve === "urgent") say("error", `${device} has used nearly all of its spare blocks; replace it now`);
    else if (usedPercent >= usedPercentMax) say("error", `${device} has used ${usedPercent} % of its life; replace it`);
    else if (reserve === "warning" || usedPercent >= usedPercentWarn)
      say(
        "warning",
        `${device} has used ${reserve === "warning" ? "most of its spare blocks" : `${usedPercent} % of its life`}; plan to replace it`,
      );
  }
  if (thermal.isUndervolted === true) say("warning", "the power supply gives too little voltage; use a stronger one, or a shorter cable");
  else if (thermal.hasUndervolted === true) say("notice", "the power supply gave too little voltage since the start; use a stronger one");
  if (thermal.isThrottled === true && thermal.isUndervolted !== true) say("warning", "the processor is slowed down for heat; cool the box");
  if (thermal.celsius !== undefined && thermal.celsius >= celsiusWarn)
    say("warning", `the box is at ${thermal.celsius} degrees Celsius; cool it`);
  if (clock.isSynchronized === false) say("warning", "the clock is not set over the network; check the time servers and the way there");
  else if ((clock.errorMs ?? 0) > clockErrorMsMax)
    say("warning", `the clock may be off by ${Math.round(clock.errorMs ?? 0)} ms; check the time servers`);
  if (!clock.hasRealTimeClock)
    say("notice", "there is no clock that goes on without power; the time is wrong after a start until the network sets it");
  if (watchdog === undefined) say("notice", "there is no hardware watchdog; a machine that hangs stays so until somebody comes");
  else if (watchdog.hasRestarted === true) say("warning", "the watchdog restarted this machine; its log may say what hung");
  return found.sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

const RANK = { error: 0, warning: 1, notice: 2 } as const;
