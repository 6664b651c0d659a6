import { type HardwareFigures, HardwareFiguresReader, linuxSource } from "../../appliance/hardware/index.ts";
import type { HardwareSample } from "../monitoring/index.ts";
import { systemTimers } from "./ports.ts";

/** The figures of the hardware under a home. */
export function hardwareReader(home: string): HardwareFiguresReader {
  return new HardwareFiguresReader(linuxSource(systemTimers), [home]);
}

/** The figures that are known. */
export function knownOf(figures: HardwareFigures): HardwareSample {
  return Object.fromEntries(Object.entries(figures).filter(([, value]) => value !== null));
}
