import type { GenesisParameters, RejectionCode, Transaction, ValidatorSet, VerifySignature } from "../protocol/index.ts";

/** Everything besides state and transactions that a block's execution depends on; all of it is agreed. */
export type ExecutionContext = {
  /** Genesis hash, 32 bytes. */
  readonly chainId: Uint8Array;
  /** Height of the block being executed, from 1. */
  readonly height: number;
  /** Header time, milliseconds since the Unix epoch; decides the hour that device quotas count in. */
  readonly timeMs: number;
  /** Epoch that the block belongs to. */
  readonly epoch: number;
  /** Index of the block's proposer in the set. */
  readonly leader: number;
  /** The epoch's set: its owners share the fees when the policy says so. */
  readonly validatorSet: ValidatorSet;
  /** Those of genesis: execution finds what votes changed in the state. */
  readonly parameters: GenesisParameters;
  /**
   * Verifies proofs of possession (deviceRegister, validatorRegister, keyRotate) by the one rule. May remember verdicts computed elsewhere,
   * so that execution does not wait for signatures; it must be a pure function of its arguments.
   */
  readonly verifySignature: VerifySignature;
};

/** Why a transaction of a block left no trace, in the words of its refusal. */
export type SkipReason = Extract<
  RejectionCode,
  "expired" | "validityTooLong" | "feeTooLow" | "unknownSender" | "nonceTooLow" | "nonceTooHigh" | "quotaExceeded" | "insufficientFunds"
>;

/** A transaction that left no trace, with the reason. It may still execute later unless it expired or its nonce is used. */
export type SkippedTransaction = { readonly transaction: Transaction; readonly reason: SkipReason };
