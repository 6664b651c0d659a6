import { z } from "@hono/zod-openapi";
import { chooseExposition } from "../../monitoring/index.ts";
import { defineEndpoint, type Endpoint, jsonResponse } from "../endpoint.ts";
import { ProblemError } from "../problem.ts";
import { healthSchema, versionSchema } from "../schemas/resources.ts";
import type { RouteContext } from "./context.ts";

const GATES = [
  { path: "/livez", name: "getLiveness", gate: "live", question: "Whether the process works; restart it when it does not" },
  { path: "/readyz", name: "getReadiness", gate: "ready", question: "Whether the node may be sent requests" },
  { path: "/startupz", name: "getStartup", gate: "startup", question: "Whether the node has finished starting" },
] as const;

/** The routes that operations need, outside /api: health gates, metrics and version. */
export function operationEndpoints(context: RouteContext): readonly Endpoint[] {
  return [...GATES.map((gate) => healthEndpoint(gate, context)), metricsEndpoint(context), versionEndpoint(context)];
}

function healthEndpoint({ path, name, gate, question }: (typeof GATES)[number], { ports }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path,
    name,
    summary: question,
    success: { status: 200, description: "Every check holds", content: { "application/json": healthSchema } },
    problems: ["notReady"],
    answer: () => {
      const { isOk, checks } = ports.health.report(gate);
      if (isOk) return jsonResponse({ status: "ok", checks });
      const reasons = checks.flatMap((check) => (check.isOk ? [] : [`${check.name}: ${check.reason ?? "failed"}`]));
      throw new ProblemError({ code: "notReady", detail: reasons.join("; "), members: { checks } });
    },
  });
}

function metricsEndpoint({ registry }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/metrics",
    name: "getMetrics",
    summary: "Metrics for a scraper",
    success: {
      status: 200,
      description: "Prometheus text, or OpenMetrics when the Accept header names it",
      content: { "text/plain": z.string(), "application/openmetrics-text": z.string() },
    },
    problems: [],
    answer: async ({ call }) => {
      const { contentType, body } = await registry.render(chooseExposition(call.request.headers.get("accept") ?? undefined));
      return new Response(body, { headers: { "content-type": contentType, "cache-control": "no-store", vary: "accept" } });
    },
  });
}

function versionEndpoint({ build }: RouteContext): Endpoint {
  return defineEndpoint({
    method: "get",
    path: "/version",
    name: "getVersion",
    summary: "What program answers",
    success: { status: 200, description: "Name, version and runtime", content: { "application/json": versionSchema } },
    problems: [],
    answer: () => jsonResponse(build),
  });
}
