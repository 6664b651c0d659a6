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
  /** Height and time of the block that the epoch stands on: the last of the epoch before, or genesis. */
  readonly epochStart: { readonly height: number; readonly timeMs: number };
  /** View that the block was proposed in first. */
  readonly view: number;
  /** View of the parent in the same epoch; 0 when the parent is genesis or the block that the epoch stands on. */
  readonly parentView: number;
  /** Bitmap of the parent's certificate, by the set of the parent's epoch. */
  readonly parentBitmap: Uint8Array;
  /** Index of the block's proposer in the set. */
  readonly leader: number;
  /** The epoch's set: its owners share the fees when the policy says so. */
  readonly validatorSet: ValidatorSet;
  /** Those of genesis: execution finds what votes changed in the state. */
  readonly parameters: GenesisParameters;
  /**
   * Verifies proofs of possession (deviceRegister, validatorRegister, keyRotate) and evidence by the one rule. May remember verdicts
   * computed elsewhere, so that execution does not wait for signatures; it must be a pure function of its arguments.
   */
  readonly verifySignature: VerifySignature;
  /** Encoded evidence that the block carries; it comes before the transactions. */
  readonly evidence: readonly Uint8Array[];
  /** How an epoch of this chain began, the block's own or an earlier one; undefined when nobody needs to know it any more. */
  readonly findEpoch: (epoch: number) => EpochFacts | undefined;
};

/** An epoch as evidence is judged by: its set, and the time of the block that it stands on. */
export type EpochFacts = { readonly validatorSet: ValidatorSet; readonly timeMs: number };

/** Why a transaction of a block left no trace, in the words of its refusal. */
export type SkipReason = Extract<
  RejectionCode,
  "expired" | "validityTooLong" | "feeTooLow" | "unknownSender" | "nonceTooLow" | "nonceTooHigh" | "quotaExceeded" | "insufficientFunds"
>;

/** A transaction that left no trace, with the reason. It may still execute later unless it expired or its nonce is used. */
export type SkippedTransaction = { readonly transaction: Transaction; readonly reason: SkipReason };
