import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { SYNC_LIMITS, SYNC_REFUSALS } from "../../protocol/index.ts";
import type { Answer, Ingest } from "../ingest/ingest.ts";
import { peerOf } from "./connections.ts";

/** What the body of a sync message is called. */
const SYNC_MEDIA_TYPE = "application/vnd.bizra.sync+cbor";

/** The sync protocol over plain POSTs: one message a request, its answer the response. */
export function syncRoutes(ingest: Ingest): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  for (const kind of ["hello", "batch", "heartbeat", "escrow"] as const) {
    routes.post(`/${kind}`, async (context) => {
      const declared = Number(context.req.header("content-length") ?? Number.NaN);
      if (!(declared <= SYNC_LIMITS.messageBytesMax)) return context.body(null, 413); // no length at all is no message of ours
      const body = new Uint8Array(await context.req.arrayBuffer());
      return responseOf(await ingest.answer(kind, body, peerOf(context.env.incoming.socket)));
    });
  }
  return routes;
}

function responseOf({ kind, message, refusal }: Answer): Response {
  if (kind === "noted") return new Response(null, { status: 204 });
  const headers: Record<string, string> = { "content-type": SYNC_MEDIA_TYPE };
  if (refusal?.retryAfterMs !== undefined) headers["retry-after"] = String(Math.ceil(refusal.retryAfterMs / 1_000));
  return new Response(Uint8Array.from(message), { status: refusal ? SYNC_REFUSALS[refusal.code] : 200, headers });
}
