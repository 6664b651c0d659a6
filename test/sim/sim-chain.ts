import type { BlockPort, FinalizedBlock } from "../../src/consensus/index.ts";
import type { ValidatorSet } from "../../src/protocol/index.ts";

/** What every node of a simulated chain agrees on before the first block. */
export type ChainRules = {
  readonly chainId: Uint8Array;
  readonly genesisTimeMs: number;
  /** Blocks of an epoch. */
  readonly epochBlocks: number;
  /** Set of an epoch that some block committed to. */
  readonly setOf: (epoch: number) => ValidatorSet;
};

/** A box's chain as the oracle, the load and traitors see it, whatever is behind it. */
export interface SimChain extends Pick<BlockPort, "tip" | "build"> {
  readonly rules: ChainRules;
  /** Committed blocks from height 1, as they are on its disk; read again at each start. */
  readonly committed: readonly FinalizedBlock[];
  /** State root after the last committed block. */
  readonly stateRoot: Uint8Array;
  /** Overlays held, for bounds. */
  readonly overlayCount: number;
  /** Whether a batch was executed in a committed block. */
  isExecuted(digest: Uint8Array): boolean;
}
