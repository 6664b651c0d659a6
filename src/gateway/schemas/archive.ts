import { z } from "@hono/zod-openapi";
import { countSchema, hash32Schema } from "./values.ts";

/** A node that says that it keeps every block, and where it is reached. */
export const archiveSchema = z.object({ peer: hash32Schema, addresses: z.array(z.string()) }).openapi("Archive");

/** What was asked for begins below what is kept here: the lowest block that is, and who has the rest. */
export const prunedSchema = z.object({ lowestHeight: countSchema, archives: z.array(archiveSchema) }).openapi("Pruned", {
  description: "Present when some of what was asked for is not kept here: the lowest block that is, and who has the rest",
});
