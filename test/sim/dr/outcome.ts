/** What a schedule came to. */
export type DrOutcome = {
  readonly findings: readonly string[];
  readonly signatures: number;
  readonly restores: number;
  readonly rotations: number;
  readonly crashes: number;
  /** Homes copied to other machines. */
  readonly copies: number;
  /** Histories exported and imported. */
  readonly moves: number;
  /** Old images put back on their own machine. */
  readonly rollbacks: number;
  /** Boundaries at which most keys changed, after which the box that stayed lost its journal. */
  readonly restaffings: number;
  readonly isLive: boolean;
};
