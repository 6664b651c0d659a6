import { z } from "@hono/zod-openapi";
import { addressSchema, countSchema, hash32Schema, timeSchema, u64Schema } from "./values.ts";

/** What an account has bonded to a validator. */
export const bondSchema = z
  .object({
    validator: hash32Schema,
    stake: u64Schema.openapi({ description: "What its shares of the stake are worth now" }),
    unbonding: z.array(
      z.object({
        amount: u64Schema.openapi({ description: "What its shares of what unbonds are worth now" }),
        releaseEpoch: countSchema,
        releaseTime: timeSchema,
        isReleased: z.boolean().openapi({ description: "Whether both the epoch and the header time have come" }),
      }),
    ),
    withdrawable: u64Schema.openapi({ description: "What may be withdrawn now" }),
  })
  .openapi("Bond");

/** A validator, of the set or not. */
export const validatorSchema = z
  .object({
    id: hash32Schema.openapi({ description: "Its first signing key, which names it for ever" }),
    index: countSchema.optional().openapi({ description: "Place in the set; absent outside it" }),
    publicKey: hash32Schema.openapi({ description: "The key it signs with now" }),
    term: countSchema.openapi({ description: "Number of that key, 0 for the first" }),
    next: z.object({ publicKey: hash32Schema, term: countSchema, effectiveEpoch: countSchema }).optional(),
    owner: addressSchema,
    name: z.string().optional(),
    status: z
      .enum(["active", "waiting", "exiting", "jailed"])
      .openapi({ description: "active: of the set; waiting: not of it; exiting or jailed: leaves it at the epoch's end, or has left" }),
    jailedUntilEpoch: countSchema.optional(),
    weight: u64Schema,
    stake: u64Schema,
    unbonding: u64Schema.openapi({ description: "Stake that leaves and still answers for faults" }),
    commission: z.int().min(0).max(10_000).openapi({ description: "Share of its fees that the owner keeps, in 1/10,000" }),
    endpoint: z.string(),
    metadata: z.string(),
    reputation: z.int().min(0).max(10_000),
    duties: z.array(z.enum(["vote", "propose"])).openapi({ description: "What it owes in the current view" }),
  })
  .openapi("Validator");

/** The validator set in force. */
export const validatorSetSchema = z
  .object({
    height: countSchema,
    epoch: countSchema,
    hash: hash32Schema,
    totalWeight: u64Schema,
    quorumWeight: u64Schema,
    validators: z.array(validatorSchema),
  })
  .openapi("ValidatorSet");

/** One validator with the height and epoch it is told for. */
export const validatorDetailSchema = validatorSchema.extend({ height: countSchema, epoch: countSchema }).openapi("ValidatorDetail");

const parameterSchema = z.object({ name: z.string(), value: u64Schema });

/** The parameters in force, what is approved, and what is voted on. */
export const parametersSchema = z
  .object({
    height: countSchema,
    epoch: countSchema,
    feePolicy: z.enum(["burn", "validators"]),
    parameters: z.array(parameterSchema.extend({ genesis: u64Schema.openapi({ description: "Value at genesis" }) })),
    features: z.array(z.string()).openapi({ description: "Names of the feature flags that are on" }),
    approved: z.array(parameterSchema.extend({ activationEpoch: countSchema })),
    proposals: z.array(
      parameterSchema.extend({
        id: hash32Schema.openapi({ description: "Id of the proposing transaction" }),
        activationEpoch: countSchema,
        proposer: hash32Schema,
        approvals: z.array(hash32Schema),
        rejections: z.array(hash32Schema),
      }),
    ),
  })
  .openapi("Parameters");
