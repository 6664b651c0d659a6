import type { GenesisParameters } from "../protocol/index.ts";

/** The parameters that end an epoch. */
export type EpochParameters = Pick<GenesisParameters, "epochBlocks" | "epochMs">;

/**
 * Whether a block is the last of its epoch: the epoch has its number of blocks with it, or its span of header time is
 * over at it. Agreed by all, since it follows from headers alone.
 *
 * @param start height and time of the block that the epoch stands on
 * @see consensus R12
 */
export function isEpochEnd(
  parameters: EpochParameters,
  start: { readonly height: number; readonly timeMs: number },
  header: { readonly height: number; readonly timeMs: number },
): boolean {
  return header.height - start.height >= parameters.epochBlocks || header.timeMs - start.timeMs >= parameters.epochMs;
}
