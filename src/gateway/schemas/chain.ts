import { z } from "@hono/zod-openapi";
import { prunedSchema } from "./archive.ts";
import { countSchema, hash32Schema, hexSchema, signatureSchema, timeSchema, u64Schema } from "./values.ts";

/** Result of an executed transaction. */
export const receiptSchema = z
  .object({
    transactionId: hash32Schema,
    height: countSchema,
    index: countSchema,
    code: z.string().openapi({ description: "`applied`, or why it paid its fee and did nothing else", example: "applied" }),
    fee: u64Schema,
    effectsDigest: hash32Schema,
  })
  .openapi("Receipt");

/** What a block commits to. */
export const headerSchema = z
  .object({
    version: countSchema,
    chainId: hash32Schema,
    height: countSchema,
    epoch: countSchema,
    view: countSchema,
    parentHash: hash32Schema,
    leader: countSchema,
    time: timeSchema,
    batchRoot: hash32Schema,
    stateRoot: hash32Schema,
    receiptRoot: hash32Schema,
    validatorSetHash: hash32Schema,
    nextValidatorSetHash: hash32Schema.optional(),
    parentBitmap: hexSchema,
    evidenceRoot: hash32Schema.optional(),
  })
  .openapi("BlockHeader");

/** A quorum's signatures on one statement. */
export const certificateSchema = z
  .object({
    kind: z.enum(["notarization", "nullification", "finalization"]),
    epoch: countSchema,
    view: countSchema,
    proposal: z.object({ epoch: countSchema, view: countSchema, parentView: countSchema, blockHash: hash32Schema }).optional(),
    bitmap: hexSchema.openapi({ description: "Bit i, least significant first, is set when validator i signed" }),
    signatures: z.array(signatureSchema),
  })
  .openapi("Certificate");

/** A final block. */
export const blockSchema = z
  .object({
    hash: hash32Schema,
    height: countSchema,
    header: headerSchema,
    batches: z.array(
      z.object({
        digest: hash32Schema,
        author: hash32Schema,
        sequence: countSchema,
        transactionCount: countSchema,
        sizeBytes: countSchema,
      }),
    ),
    transactionCount: countSchema.openapi({ description: "Executed transactions" }),
    finalization: certificateSchema,
  })
  .openapi("Block");

/** A page of blocks in ascending order. */
export const blockPageSchema = z
  .object({
    blocks: z.array(blockSchema),
    latestHeight: countSchema,
    pruned: prunedSchema.optional(),
    next: countSchema.optional().openapi({ description: "`from` of the following page; absent at the tip" }),
  })
  .openapi("BlockPage");
