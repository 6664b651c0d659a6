import { z } from "@hono/zod-openapi";

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const time = z.iso.datetime();

/** A claim by its id. */
export const claimParams = z.object({ claim: z.string().regex(/^[0-9a-f]{16}$/) });
/** A request by its id. */
export const requestParams = z.object({ request: hash });

/** A claim to be made. */
export const claimBody = z.strictObject({
  network: hash,
  node: name.optional(),
  site: z.string().max(64).default(""),
  approval: z.enum(["auto", "manual"]).default("manual"),
  lifeSeconds: z
    .int()
    .min(60)
    .max(30 * 86_400)
    .default(86_400),
});
/** What may become of a claim or of a node. */
export const revokedBody = z.strictObject({ status: z.literal("revoked") });
/** What somebody decides about a request. */
export const decisionBody = z.strictObject({ status: z.enum(["approved", "refused"]) });

const claimSchema = z
  .object({
    id: z.string(),
    network: hash,
    node: z.string().optional(),
    site: z.string(),
    approval: z.enum(["auto", "manual"]),
    madeBy: z.string(),
    madeAt: time,
    expiresAt: time,
    status: z.enum(["open", "used", "revoked"]),
  })
  .openapi("FleetClaim");

const requestSchema = z
  .object({
    id: z.string(),
    claim: z.string(),
    network: hash,
    node: z.string(),
    identityKey: hash,
    site: z.string(),
    address: z.string(),
    requestedAt: time,
    status: z.enum(["pending", "approved", "refused", "issued"]),
    decidedBy: z.string(),
  })
  .openapi("FleetRequest");

/** Claims, the newest first. */
export const claimsAnswer = z.object({ now: time, claims: z.array(claimSchema) });
/** A claim that was made, with its token: told here alone. */
export const claimAnswer = claimSchema.extend({ token: z.string() });
/** Requests, the newest first. */
export const requestsAnswer = z.object({ now: time, requests: z.array(requestSchema) });
/** What became of something. */
export const statusAnswer = z.object({ status: z.string() });
