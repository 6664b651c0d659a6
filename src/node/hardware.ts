import { HardwareFiguresReader, linuxSource } from "../../appliance/hardware/index.ts";
import { systemTimers } from "./ports.ts";

/** The figures of the hardware under a home. */
export function hardwareReader(home: string): HardwareFiguresReader {
  return new HardwareFiguresReader(linuxSource(systemTimers), [home]);
}
