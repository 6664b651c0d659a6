import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { Log } from "../../../src/kernel/index.ts";
import {
  checkObjectName,
  checkObjectPrefix,
  HTTP_OBJECT_BYTES_MAX,
  isObjectsFault,
  OBJECTS_PATH,
  type ObjectStore,
  WrongObjectName,
} from "../../../src/storage/index.ts";
import { FleetProblem, problemAnswer } from "../fleet/problem.ts";
import { StoreUnavailable } from "../types.ts";
import type { ObjectCaller, ObjectCallers } from "./callers.ts";
import type { ObjectQuota } from "./object-quota.ts";

/** What the routes of objects stand on. */
export type ObjectRoutesParts = {
  readonly objects: ObjectStore;
  readonly callers: ObjectCallers;
  readonly quota: ObjectQuota;
  readonly log: Log;
};

type ObjectContext = Context<{ Bindings: HttpBindings }>;

/** Names in one answer. */
const LIST_MAX = 1_000;
/** Bodies that are taken in at the same time: each is held whole. */
const BODIES_MAX = 16;
const BUSY_RETRY_MS = 2_000;

/**
 * Objects of nodes over HTTP: `GET`, `PUT` and `DELETE` of `object/NAME`, and `list?prefix=&after=&limit=`. Refusals are problems
 * with the codes of the fleet API; a store that does not serve is `unavailable`, and what was there stays.
 */
export function objectRoutes({ objects, callers, quota, log }: ObjectRoutesParts): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  let bodies = 0;
  const answering = async (context: ObjectContext, action: (caller: ObjectCaller) => Promise<Response>): Promise<Response> => {
    try {
      const socket = context.env?.incoming?.socket;
      return await action(await callers.judge(context.req.header("authorization"), socket, socket?.remoteAddress ?? "unknown"));
    } catch (error) {
      return problemAnswer(problemOfObjects(error, log), context.req.path);
    }
  };
  routes.get("/list", (context) =>
    answering(context, async (caller) => {
      const { prefix = "", after = "", limit = String(LIST_MAX) } = context.req.query();
      checkOwned(caller, checkObjectPrefix(prefix));
      const count = /^\d{1,5}$/.test(limit) ? Math.min(LIST_MAX, Math.max(1, Number(limit))) : LIST_MAX;
      return context.json({ objects: await objects.list(prefix, after === "" ? "" : checkObjectName(after), count) });
    }),
  );
  routes.get("/object/*", (context) =>
    answering(context, async (caller) => {
      const bytes = await objects.get(ownedName(context, caller));
      if (!bytes) throw new FleetProblem("notFound", "there is no such object");
      return new Response(Uint8Array.from(bytes), { headers: { "content-type": "application/octet-stream", "cache-control": "no-store" } });
    }),
  );
  routes.put("/object/*", (context) =>
    answering(context, async (caller) => {
      const name = ownedName(context, caller);
      if (!caller.mayWrite) throw new FleetProblem("forbidden", "expected a node, which alone writes its objects");
      if (!(Number(context.req.header("content-length") ?? Number.NaN) <= HTTP_OBJECT_BYTES_MAX))
        throw new FleetProblem("tooLarge", `expected an object of at most ${HTTP_OBJECT_BYTES_MAX} bytes, with its length`);
      if (bodies >= BODIES_MAX) throw new FleetProblem("unavailable", "many objects are on their way", BUSY_RETRY_MS);
      bodies++;
      try {
        const bytes = new Uint8Array(await context.req.arrayBuffer());
        await quota.take(name, bytes.length, caller);
        await objects.put(name, bytes);
      } finally {
        bodies--;
      }
      return context.body(null, 204);
    }),
  );
  routes.delete("/object/*", (context) =>
    answering(context, async (caller) => {
      const name = ownedName(context, caller);
      if (!caller.mayWrite) throw new FleetProblem("forbidden", "expected a node, which alone removes its objects");
      await objects.delete(name);
      return context.body(null, 204);
    }),
  );
  return routes;
}

function ownedName(context: ObjectContext, caller: ObjectCaller): string {
  const name = checkObjectName(context.req.path.slice(`${OBJECTS_PATH}/object/`.length));
  checkOwned(caller, name);
  return name;
}

function checkOwned({ owns, name }: ObjectCaller, object: string): void {
  if (!owns(object)) throw new FleetProblem("forbidden", `${name} may not touch what lies there`);
}

/** A refusal as it is; a failure of the objects or of the store, which carry a code, as `unavailable`; anything else is a defect. */
export function problemOfObjects(error: unknown, log: Log): FleetProblem {
  if (error instanceof FleetProblem) return error;
  if (error instanceof WrongObjectName) return new FleetProblem("malformed", error.message);
  if (!(error instanceof StoreUnavailable || isObjectsFault(error))) throw error;
  log.error("aggregator.objectsUnavailable", { error: error.message });
  return new FleetProblem("unavailable", "the objects cannot be reached", BUSY_RETRY_MS);
}
