import { z } from "@hono/zod-openapi";

/** An unsigned 64-bit quantity (amount, fee, nonce, weight, validity): a decimal string without leading zeros. */
export const u64Schema = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,19})$/)
  .openapi("U64", { description: "Unsigned 64-bit integer as a decimal string", example: "1000000" });

/** Thirty-two bytes as 64 lower-case hex digits. */
export const hash32Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .openapi("Hash", { description: "32 bytes as lower-case hex", example: "9f".repeat(32) });

/** Bytes of any length as lower-case hex. */
export const hexSchema = z
  .string()
  .regex(/^([0-9a-f]{2})*$/)
  .openapi("Hex", { description: "Bytes as lower-case hex" });

/** A signature: 64 bytes as lower-case hex. */
export const signatureSchema = z
  .string()
  .regex(/^[0-9a-f]{128}$/)
  .openapi("Signature", { description: "Ed25519 signature, 64 bytes as lower-case hex" });

/** A count, height, view, epoch or index: the protocol bounds these by 2^53 - 1, so they are JSON numbers. */
export const countSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** A time: RFC 3339 UTC with milliseconds. */
export const timeSchema = z
  .string()
  .regex(/^\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  .openapi("Time", { description: "RFC 3339 time in UTC with milliseconds", example: "2026-01-02T03:04:05.678Z" });

/** An account's address. */
export const addressSchema = z
  .string()
  .regex(/^bz1[02-9ac-hj-np-z]{58}$/)
  .openapi("Address", { description: "bech32m of the 32-byte public key, prefix bz" });

/** Where a lane's record stands, as one word for `after` and Last-Event-ID. */
export const cursorSchema = z
  .string()
  .regex(/^\d{1,16}\.\d{1,16}$/)
  .openapi("Cursor", {
    description: "epoch.sequence of a record; epoch counts the log's incarnations, sequence its records from 1",
    example: "1.42",
  });

/** A whole number given in the query, with bounds and a default. */
export function integerParameter(options: { min: number; max: number; fallback?: number; description: string }) {
  const { min, max, fallback, description } = options;
  const text = z
    .string()
    .regex(/^\d{1,16}$/, `expected a whole number from ${min} to ${max}`)
    .refine((digits) => Number(digits) >= min && Number(digits) <= max, `expected a whole number from ${min} to ${max}`)
    .transform(Number)
    .optional();
  const range = { type: "integer", minimum: min, maximum: max, description } as const;
  return text.openapi(fallback === undefined ? range : { ...range, default: fallback });
}
