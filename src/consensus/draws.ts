import { Prng } from "../kernel/index.ts";
import type { CoreState } from "./state.ts";

/**
 * A number in 0..1 (1 excluded) for jitter and random peers. Draws are numbered, so the generator's state is one counter
 * that a clone of the core carries along.
 */
export function unitDraw(core: CoreState): number {
  return new Prng(core.config.seed + 0x1000003 * core.draws++).uint32() / 2 ** 32;
}

/** One of the items at random, or undefined of none. */
export function drawOne<T>(core: CoreState, items: readonly T[]): T | undefined {
  return items[Math.floor(unitDraw(core) * items.length)];
}

/** A duration within +-20 % of the one given. */
export function jittered(core: CoreState, durationMs: number): number {
  return durationMs * (0.8 + 0.4 * unitDraw(core));
}
