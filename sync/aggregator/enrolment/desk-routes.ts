import { type Context, Hono } from "hono";
import { z } from "zod";
import { QUOTA_BYTES } from "../quota.ts";
import type { EnrolmentDesk } from "./desk.ts";
import { shownClaim, shownRequest } from "./shown.ts";

const name = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const network = z.string().regex(/^[0-9a-f]{64}$/);

const claimSchema = z.strictObject({
  network,
  node: name.optional(),
  site: z.string().max(64).default(""),
  approval: z.enum(["auto", "manual"]).default("manual"),
  lifeMs: z
    .int()
    .min(1_000)
    .max(30 * 86_400_000),
});
const decisionSchema = z.strictObject({ request: z.string().min(1).max(64), decision: z.enum(["approved", "refused"]) });
const revocationSchema = z.strictObject({ node: name, network: network.optional() });

const quotaBytes = z.int().min(QUOTA_BYTES.min).max(QUOTA_BYTES.max).nullable().optional();
const quotaSchema = z.strictObject({ node: name, network: network.optional(), eventBytes: quotaBytes, objectBytes: quotaBytes });

const LISTED_MAX = 1_000;
const BODY_BYTES_MAX = 16_384;

/**
 * The desk as JSON routes, for whoever has found out already that the caller may do this.
 *
 * @param actorOf who calls, for the audit
 */
export function deskRoutes(desk: EnrolmentDesk, actorOf: (context: Context) => string): Hono {
  const routes = new Hono();
  routes.get("/claims", async (context) => context.json({ claims: (await desk.listClaims(LISTED_MAX)).map(shownClaim) }));
  routes.post("/claims", (context) =>
    withBody(context, claimSchema, async ({ node, ...plan }) => {
      const { claim, token } = await desk.makeClaim({ ...plan, ...(node === undefined ? {} : { node }) }, actorOf(context));
      return context.json({ ...shownClaim(claim), token }, 201);
    }),
  );
  routes.delete("/claims/:id", async (context) =>
    (await desk.revokeClaim(context.req.param("id"), actorOf(context))) ? context.body(null, 204) : problem(context, 404, "notOpen"),
  );
  routes.get("/requests", async (context) => {
    const requests = await desk.listRequests(context.req.query("status") === "pending" ? "pending" : undefined, LISTED_MAX);
    return context.json({ requests: requests.map(shownRequest) });
  });
  routes.post("/decisions", (context) =>
    withBody(context, decisionSchema, async ({ request, decision }) => {
      const decided = await desk.decide(request, decision, actorOf(context));
      return decided.length > 0 ? context.json({ requests: decided.map(shownRequest) }) : problem(context, 404, "notPending");
    }),
  );
  routes.post("/revocations", (context) =>
    withBody(context, revocationSchema, async (body) => {
      const revoked = await desk.revokeNode(body.node, body.network, actorOf(context));
      return revoked.length > 0 ? context.json({ nodes: revoked }) : problem(context, 404, "unknownNode");
    }),
  );
  routes.post("/quotas", (context) =>
    withBody(context, quotaSchema, async ({ node, network: wanted, ...change }) => {
      const nodes = await desk.setQuota(node, wanted, change, actorOf(context));
      return nodes.length > 0 ? context.json({ nodes }) : problem(context, 404, "unknownNode");
    }),
  );
  return routes;
}

async function withBody<T>(context: Context, schema: z.ZodType<T>, act: (body: T) => Promise<Response>): Promise<Response> {
  if (!(Number(context.req.header("content-length") ?? Number.NaN) <= BODY_BYTES_MAX)) return problem(context, 413, "tooLarge");
  let json: unknown;
  try {
    json = JSON.parse(await context.req.text());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error; // how JSON.parse reports malformed text
    return problem(context, 400, "malformed");
  }
  const parsed = schema.safeParse(json);
  return parsed.success ? await act(parsed.data) : problem(context, 400, "malformed", z.prettifyError(parsed.error));
}

function problem(context: Context, status: 400 | 404 | 413, code: string, detail?: string): Response {
  const body = { type: "about:blank", title: TITLES[status], status, code, ...(detail === undefined ? {} : { detail }) };
  return context.json(body, status, { "content-type": "application/problem+json" });
}

const TITLES = { 400: "The request cannot be read", 404: "There is no such thing", 413: "The request is too large" } as const;
