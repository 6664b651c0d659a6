import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import type { Log } from "../../../src/kernel/index.ts";
import { checkObjectName, type ObjectStore } from "../../../src/storage/index.ts";
import { releasePrefix } from "../../protocol/index.ts";
import { FleetProblem, problemAnswer } from "../fleet/problem.ts";
import type { ObjectCallers } from "./callers.ts";
import { problemOfObjects } from "./object-routes.ts";

/** What the routes of releases stand on. */
export type ReleaseRoutesParts = { readonly objects: ObjectStore; readonly callers: ObjectCallers; readonly log: Log };

/** Bytes that are read at a time: what one answer holds in memory. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Releases for boxes over HTTP: `GET` and `HEAD` of `CHANNEL/FILE`, whole or one range of it. Whoever may ask for objects at all may read
 * every release; nobody writes them here. What a box installs is decided by the signature over the bundle, not by this.
 */
export function releaseRoutes({ objects, callers, log }: ReleaseRoutesParts): Hono<{ Bindings: HttpBindings }> {
  const routes = new Hono<{ Bindings: HttpBindings }>();
  routes.get("/:channel/:file", async (context) => {
    try {
      const socket = context.env?.incoming?.socket;
      await callers.judge(context.req.header("authorization"), socket, socket?.remoteAddress ?? "unknown");
      return await answer(context, objects);
    } catch (error) {
      return problemAnswer(problemOfObjects(error, log), context.req.path);
    }
  });
  return routes;
}

async function answer(context: Context, objects: ObjectStore): Promise<Response> {
  const name = checkObjectName(`${releasePrefix(context.req.param("channel") ?? "")}${context.req.param("file") ?? ""}`);
  const [entry] = await objects.list(name, "", 1);
  if (entry?.name !== name) throw new FleetProblem("notFound", "there is no such release");
  const { sizeBytes } = entry;
  const isOffer = name.endsWith(".json");
  const headers = {
    "accept-ranges": "bytes",
    "content-type": isOffer ? "application/json" : "application/octet-stream",
    "cache-control": "no-store",
  };
  const range = findRange(context.req.header("range"), sizeBytes);
  if (range === "beyond") return new Response(null, { status: 416, headers: { ...headers, "content-range": `bytes */${sizeBytes}` } });
  const { from, to } = range ?? { from: 0, to: sizeBytes };
  const part = range === undefined ? {} : { "content-range": `bytes ${from}-${to - 1}/${sizeBytes}` };
  const body = context.req.method === "HEAD" ? null : pieces(objects, name, from, to);
  return new Response(body, {
    status: range === undefined ? 200 : 206,
    headers: { ...headers, ...part, "content-length": String(to - from) },
  });
}

/** The one range of a header (RFC 9110, section 14.2), its end excluded; undefined: all of it is wanted, or several ranges are. */
function findRange(header: string | undefined, size: number): { readonly from: number; readonly to: number } | "beyond" | undefined {
  const [, first, last] = /^bytes=(?=.*\d)(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined) return undefined;
  const from = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
  return from < to ? { from, to } : "beyond";
}

/** A part of an object as it is read, a piece at a time. A store that fails meanwhile ends it early. */
function pieces(objects: ObjectStore, name: string, from: number, to: number): ReadableStream<Uint8Array> {
  let at = from;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = at < to ? await objects.getPart(name, at, Math.min(to, at + PIECE_BYTES)) : undefined;
      if (piece === undefined || piece.length === 0) return controller.close();
      at += piece.length;
      controller.enqueue(piece);
    },
  });
}
