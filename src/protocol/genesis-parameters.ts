import { z } from "zod";
import { LIMITS, U64_MAX } from "./limits.ts";

/** Room for a header, certificates and evidence beside the batches of a block. */
const BLOCK_PARTS_BYTES = 128 * 1024;
/** A block has room for one whole batch with its own parts, so that nothing accepted is too large to execute. */
const BLOCK_BYTES_MIN = LIMITS.batchBytesMax + BLOCK_PARTS_BYTES;

/** An unsigned 64-bit integer in JSON: a decimal string without leading zeros. */
export const amountSchema = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/, "expected an unsigned 64-bit integer as a decimal string without leading zeros")
  .refine((text) => !/^[0-9]+$/.test(text) || BigInt(text) <= U64_MAX, "expected at most 18446744073709551615"); // asked of any text

/** What staking parameters are when genesis does not say. Absent ones stay absent in the document, and so in its hash. */
const STAKING_DEFAULTS = {
  minimumStake: 1n,
  slashPerMyriad: 500,
  jailEpochs: 4,
  validatorsMax: LIMITS.validatorsMax,
  unbondingMs: 604_800_000,
  reputationEntryMin: 1_000,
} as const;

/** Schema of a genesis document's `parameters`. The staking parameters may be left out. */
export const genesisParametersSchema = z.strictObject({
  minimumFee: amountSchema,
  maxValidity: amountSchema,
  feePolicy: z.enum(["burn", "validators"]),
  blockBytesMax: z.int().min(BLOCK_BYTES_MIN).max(LIMITS.blockBytesMax),
  blockTransactionsMax: z.int().min(LIMITS.batchTransactionsMax).max(LIMITS.blockTransactionsMax),
  epochBlocks: z.int().min(8),
  epochMs: z.int().min(60_000),
  minimumStake: amountSchema.refine((text) => text !== "0", "expected at least 1 unit").optional(),
  slashPerMyriad: z.int().min(0).max(9_999).optional(),
  jailEpochs: z.int().min(1).max(1_000_000).optional(),
  validatorsMax: z.int().min(1).max(LIMITS.validatorsMax).optional(),
  unbondingMs: z.int().min(0).max(315_360_000_000).optional(),
  reputationEntryMin: z.int().min(0).max(10_000).optional(),
});

/** Parameters that every node agrees on from the first block. Those but `feePolicy` may be changed by vote. */
export type GenesisParameters = {
  /** Base units every transaction pays at least. */
  readonly minimumFee: bigint;
  /** How far above the tip a transaction's validUntil may lie, in blocks. */
  readonly maxValidity: bigint;
  /** Whether fees are destroyed or shared at the end of the epoch among its validators by weight. */
  readonly feePolicy: "burn" | "validators";
  /** Bytes of a block with its parts. */
  readonly blockBytesMax: number;
  readonly blockTransactionsMax: number;
  /** An epoch ends at the first of this many blocks and this much header time. */
  readonly epochBlocks: number;
  readonly epochMs: number;
  /** Base units of stake that a validator needs to come into a set, at least 1. */
  readonly minimumStake: bigint;
  /** Part of its stake, in 1/10,000, that a convicted validator loses: 0..9999, so that no pool is ever emptied by it. */
  readonly slashPerMyriad: number;
  /** Whole epochs that a convicted validator stays out. */
  readonly jailEpochs: number;
  /** Members that a set has at most. */
  readonly validatorsMax: number;
  /** Header time, in milliseconds, that unbonding takes at least; two whole epochs in any case. */
  readonly unbondingMs: number;
  /** Reputation that a validator outside the set needs to come in, 0..10000. */
  readonly reputationEntryMin: number;
};

/** A document's parameters in the program's own types, with defaults where it says nothing. */
export function genesisParametersOf(document: z.infer<typeof genesisParametersSchema>): GenesisParameters {
  return {
    minimumFee: BigInt(document.minimumFee),
    maxValidity: BigInt(document.maxValidity),
    feePolicy: document.feePolicy,
    blockBytesMax: document.blockBytesMax,
    blockTransactionsMax: document.blockTransactionsMax,
    epochBlocks: document.epochBlocks,
    epochMs: document.epochMs,
    minimumStake: document.minimumStake === undefined ? STAKING_DEFAULTS.minimumStake : BigInt(document.minimumStake),
    slashPerMyriad: document.slashPerMyriad ?? STAKING_DEFAULTS.slashPerMyriad,
    jailEpochs: document.jailEpochs ?? STAKING_DEFAULTS.jailEpochs,
    validatorsMax: document.validatorsMax ?? STAKING_DEFAULTS.validatorsMax,
    unbondingMs: document.unbondingMs ?? STAKING_DEFAULTS.unbondingMs,
    reputationEntryMin: document.reputationEntryMin ?? STAKING_DEFAULTS.reputationEntryMin,
  };
}

/** Values that a vote may give a parameter, both ends included. */
export type ParameterBounds = { readonly min: bigint; readonly max: bigint };

/** A parameter that votes may change. */
export type VotableParameter = Exclude<keyof GenesisParameters, "feePolicy">;

/**
 * What each parameter may be set to by vote. Narrower than genesis where a slip would end the network: a fee that nobody
 * could pay, or a set too small to tolerate a fault, could not be voted back.
 */
export const PARAMETER_BOUNDS: Readonly<Record<VotableParameter, ParameterBounds>> = {
  minimumFee: { min: 0n, max: 10n ** 9n },
  maxValidity: { min: 100n, max: 10n ** 9n },
  blockBytesMax: { min: BigInt(BLOCK_BYTES_MIN), max: BigInt(LIMITS.blockBytesMax) },
  blockTransactionsMax: { min: BigInt(LIMITS.batchTransactionsMax), max: BigInt(LIMITS.blockTransactionsMax) },
  epochBlocks: { min: 8n, max: 10n ** 9n },
  epochMs: { min: 60_000n, max: 31_536_000_000n },
  minimumStake: { min: 1n, max: U64_MAX },
  slashPerMyriad: { min: 0n, max: 9_999n },
  jailEpochs: { min: 1n, max: 1_000_000n },
  validatorsMax: { min: 4n, max: BigInt(LIMITS.validatorsMax) },
  unbondingMs: { min: 3_600_000n, max: 315_360_000_000n },
  reputationEntryMin: { min: 0n, max: 10_000n },
};

/** A feature flag's name: off unless a vote sets it to 1. */
const FEATURE_NAME = /^feature\.[a-z0-9][a-z0-9-]{0,55}$/;

/** What may be voted for under a name, or undefined for a name that is no parameter. */
export function findParameterBounds(name: string): ParameterBounds | undefined {
  if (FEATURE_NAME.test(name)) return { min: 0n, max: 1n };
  return Object.hasOwn(PARAMETER_BOUNDS, name) ? PARAMETER_BOUNDS[name as VotableParameter] : undefined;
}
