import { z } from "@hono/zod-openapi";
import { certificateSchema, headerSchema, receiptSchema } from "./chain.ts";
import { addressSchema, countSchema, hash32Schema, hexSchema, u64Schema } from "./values.ts";

const pathSchema = z.array(hash32Schema);

const finalHeaders = {
  headers: z
    .array(headerSchema)
    .min(1)
    .openapi({ description: "From the header that the finalization names down to the one it is wanted for" }),
  finalization: certificateSchema,
};

const validatorSchema = z.object({ publicKey: hash32Schema, owner: addressSchema, weight: u64Schema, reputation: countSchema });

/** A proof bundle, readable; `bundle` is the canonical CBOR that verifiers take. */
export const proofSchema = z
  .object({
    hops: z.array(z.object({ ...finalHeaders, nextSet: z.array(validatorSchema) })),
    ...finalHeaders,
    content: z.union([
      z.object({ kind: z.literal("receipt"), receipt: receiptSchema, path: pathSchema }),
      z.object({
        kind: z.literal("state"),
        key: hexSchema,
        count: countSchema,
        bucketRoot: hash32Schema,
        witnesses: z.array(z.object({ index: countSchema, key: hexSchema, value: hexSchema, path: pathSchema })),
        bucketPath: pathSchema,
      }),
    ]),
    bundle: hexSchema.openapi({ description: "The same proof in canonical CBOR (application/cbor), which `bizra proof verify` takes" }),
  })
  .openapi("ProofBundle");
