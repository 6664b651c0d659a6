import { z } from "@hono/zod-openapi";
import type { Call } from "../call.ts";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { EVENTS_PER_PAGE_MAX } from "../limits.ts";
import type { EventCursor, EventLane } from "../ports.ts";
import { ProblemError } from "../problem.ts";
import { eventPageSchema } from "../schemas/resources.ts";
import { integerParameter } from "../schemas/values.ts";
import { EventReader } from "../streams/event-reader.ts";
import type { OpenStream, StreamEnd } from "../streams/open-streams.ts";
import { ServerSentStream } from "../streams/server-sent-events.ts";
import { WebSocketStream } from "../streams/web-socket-stream.ts";
import { versionHeaders } from "../versions.ts";
import { renderArchive, renderCursor, renderEvent } from "../views/resources.ts";
import type { RouteContext } from "./context.ts";
import { cursorParameter, laneParameter, parseCursor } from "./parameters.ts";

const PAGE_DEFAULT = 100;
const BEGINNING: EventCursor = { epoch: 1, sequence: 0 };
const STREAM_QUERY = z.object({ lane: laneParameter, after: cursorParameter });

/** GET /events, /events/stream and /stream. */
export function eventEndpoints(context: RouteContext): readonly Endpoint[] {
  return [pageEndpoint(context), serverSentEndpoint(context), webSocketEndpoint(context)];
}

function pageEndpoint({ ports }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/events",
    name: "listEvents",
    summary: "Events of a lane after a cursor, oldest first",
    query: z.object({
      lane: laneParameter,
      after: cursorParameter,
      limit: integerParameter({ min: 1, max: EVENTS_PER_PAGE_MAX, fallback: PAGE_DEFAULT, description: "Events at most" }),
    }),
    success: {
      status: 200,
      description: "A page of events; sequences that are missing show a gap",
      content: { "application/json": eventPageSchema },
    },
    problems: ["malformed"],
    answer: async ({ query }) => {
      const { lane = "chain", after = BEGINNING, limit = PAGE_DEFAULT } = query;
      const { records, head } = await ports.events.read(lane, after, limit);
      const next = renderCursor(records.at(-1) ?? after);
      const [first] = records;
      const isAfterGap = lane === "chain" && first !== undefined && first.epoch === after.epoch && first.sequence > after.sequence + 1;
      const gap = isAfterGap
        ? { pruned: { lowestHeight: await ports.blocks.lowestHeight(), archives: (await ports.blocks.archives()).map(renderArchive) } }
        : {};
      return jsonResponse({ lane, events: records.map(renderEvent), next, head: renderCursor(head), ...gap });
    },
  });
}

function serverSentEndpoint(context: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/events/stream",
    name: "streamEvents",
    summary: "Events of a lane as server-sent events: replay after the cursor, then live",
    query: STREAM_QUERY,
    success: {
      status: 200,
      description: "Each message's data is an Event, its id the place for Last-Event-ID; `gap` and `close` are events of the stream itself",
      content: { "text/event-stream": z.string() },
    },
    problems: ["malformed"],
    answer: async ({ query, call }) => {
      const { lane = "chain" } = query;
      const after = lastEventId(call.request, lane) ?? query.after ?? (await context.feeds.of(lane).head());
      const headers = { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" };
      if (call.request.method === "HEAD") return new Response(null, { headers });
      return new Response(openServerSent(lane, after, call, context).body, { headers });
    },
  });
}

function webSocketEndpoint(context: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/stream",
    name: "streamEventsBySocket",
    summary: "Events of a lane over WebSocket: replay after the cursor, then live; each message is an Event",
    query: STREAM_QUERY,
    success: { status: 101, description: "The connection is a WebSocket", content: {} },
    problems: ["malformed", "notAuthorized", "upgradeRequired"],
    answer: async ({ query, call }) => {
      if (call.request.headers.get("upgrade")?.toLowerCase() !== "websocket") throw new ProblemError(UPGRADE_REQUIRED);
      if (isForeignPage(call.request))
        throw new ProblemError({ code: "notAuthorized", detail: "a page of another origin may not open a socket here" });
      const { lane = "chain" } = query;
      const after = query.after ?? (await context.feeds.of(lane).head());
      return openWebSocket(lane, after, call, context);
    },
  });
}

/**
 * Whether a browser says that a page of another origin asks. Browsers let any page open a socket to any address, this
 * machine's own included, and leave the judgement to the server (RFC 6455 section 10.2); other programs send no Origin.
 */
function isForeignPage(request: Request): boolean {
  const origin = request.headers.get("origin");
  return origin !== null && origin !== `http://${request.headers.get("host")}` && origin !== `https://${request.headers.get("host")}`;
}

const UPGRADE_REQUIRED = {
  code: "upgradeRequired",
  detail: "expected a WebSocket handshake",
  headers: { upgrade: "websocket", connection: "upgrade" },
} as const;

function openServerSent(lane: EventLane, after: EventCursor, call: Call, context: RouteContext): ServerSentStream {
  const { timers, limits, onDefect } = context;
  refuseWhenFull(context);
  const stream: ServerSentStream = new ServerSentStream({
    lane,
    reader: readerOf(lane, after, context),
    timers,
    stallMs: limits.streamStallMs,
    onEnd: (reason) => {
      onEnd(stream, reason, call, context);
      // What still waits for a client that takes nothing is not waited for for ever.
      if (reason !== "client") call.server.timeout(call.request, 10);
    },
    onDefect,
  });
  context.streams.add(stream);
  call.server.timeout(call.request, 0); // heartbeats and the stall limit stand in for the idle timer
  return stream;
}

function openWebSocket(lane: EventLane, after: EventCursor, call: Call, context: RouteContext): Response {
  const { timers, limits, onDefect, streams } = context;
  refuseWhenFull(context);
  const stream: WebSocketStream = new WebSocketStream({
    reader: readerOf(lane, after, context),
    timers,
    stallMs: limits.streamStallMs,
    onEnd: (reason) => onEnd(stream, reason, call, context),
    onDefect,
  });
  streams.add(stream);
  call.isUpgraded = call.server.upgrade(call.request, { data: stream, headers: { ...versionHeaders(call.path) } });
  if (call.isUpgraded) return new Response(null);
  streams.remove(stream);
  throw new ProblemError(UPGRADE_REQUIRED);
}

function readerOf(lane: EventLane, after: EventCursor, { feeds, timers, limits }: RouteContext): EventReader {
  return new EventReader(feeds.of(lane), after, timers, limits.streamHeartbeatMs);
}

function refuseWhenFull({ streams }: RouteContext): void {
  if (streams.isFull)
    throw new ProblemError({
      code: "overloaded",
      detail: `${streams.count} event streams are open, which is all that may be`,
      retryAfterMs: 5_000,
    });
}

function onEnd(stream: OpenStream, reason: StreamEnd | "client", call: Call, { streams, log }: RouteContext): void {
  streams.remove(stream);
  log.debug("http.stream.closed", { route: call.route, reason, source: call.source });
}

/** The place that a client which connects again names: `lane.epoch.sequence`. */
function lastEventId(request: Request, lane: EventLane): EventCursor | undefined {
  const id = request.headers.get("last-event-id");
  if (id === null || id === "") return undefined;
  const cursor = id.startsWith(`${lane}.`) ? parseCursor(id.slice(lane.length + 1)) : undefined;
  if (cursor) return cursor;
  throw new ProblemError({ code: "malformed", detail: `expected a Last-Event-ID of lane ${lane} such as ${lane}.1.42` });
}
