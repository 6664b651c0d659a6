import type { ThermalState } from "./types.ts";

/** The hottest of some readings in thousandths of a degree; a sensor that is off reads as an extreme and does not count. */
export function hottestOf(readings: readonly string[]): number | undefined {
  const degrees = readings.map((text) => Number.parseInt(text, 10) / 1_000).filter((value) => value > -60 && value < 150);
  return degrees.length === 0 ? undefined : Number(Math.max(...degrees).toFixed(1));
}

/**
 * The Raspberry Pi firmware's word, as sysfs (`50005`) and vcgencmd (`throttled=0x50005`) give it: bit 0 too little voltage
 * now, bits 1 to 3 slowed down now, bits 16 to 19 the same since the start.
 */
export function throttledWord(text: string): Omit<ThermalState, "celsius"> | undefined {
  const [, digits] = /^(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})\s*$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const word = Number.parseInt(digits, 16);
  return {
    isThrottled: (word & 0xf) !== 0,
    isUndervolted: (word & 0x1) !== 0,
    hasThrottled: (word & 0xf_00_0f) !== 0,
    hasUndervolted: (word & 0x1_00_01) !== 0,
  };
}

/** Whether a cooling device of the processor is at work; undefined when it has none. */
export function isCooled(devices: readonly { readonly type: string; readonly state: string }[]): boolean | undefined {
  const slowing = devices.filter(({ type }) => /cpu|processor/i.test(type));
  return slowing.length === 0 ? undefined : slowing.some(({ state }) => Number.parseInt(state, 10) > 0);
}
