import type { HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { ENROL_LIMITS, ENROL_REFUSALS } from "../../protocol/index.ts";
import type { DoorReply, EnrolmentDoor } from "../enrolment/door.ts";
import { peerOf } from "./connections.ts";

/** What the body of an enrolment message is called. */
const SYNC_MEDIA_TYPE = "application/vnd.bizra.sync+cbor";

/** Enrolment over POSTs, and the authority's certificate for whoever compares it with a pin. */
export function enrolRoutes(door: EnrolmentDoor): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  routes.get("/authority", (context) => context.body(door.authority, 200, { "content-type": "application/x-pem-file" }));
  for (const kind of ["enrol", "renew"] as const) {
    routes.post(`/${kind}`, async (context) => {
      const declared = Number(context.req.header("content-length") ?? Number.NaN);
      if (!(declared <= ENROL_LIMITS.messageBytesMax)) return context.body(null, 413); // no length at all is no message of ours
      const body = new Uint8Array(await context.req.arrayBuffer());
      const { socket } = context.env.incoming;
      const address = socket.remoteAddress ?? "";
      return responseOf(await (kind === "enrol" ? door.enrol(body, address) : door.renew(body, peerOf(socket), address)));
    });
  }
  return routes;
}

function responseOf({ message, refusal }: DoorReply): Response {
  const headers: Record<string, string> = { "content-type": SYNC_MEDIA_TYPE, "cache-control": "no-store" };
  if (refusal?.retryAfterMs !== undefined) headers["retry-after"] = String(Math.ceil(refusal.retryAfterMs / 1_000));
  return new Response(Uint8Array.from(message), { status: refusal ? ENROL_REFUSALS[refusal.code] : 200, headers });
}
