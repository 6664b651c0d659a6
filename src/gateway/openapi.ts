import type { OpenAPIHono, RouteConfig } from "@hono/zod-openapi";
import type { Env } from "hono";
import type { DocumentedContent, Endpoint } from "./endpoint.ts";
import { PROBLEM_KINDS, type ProblemCode } from "./problem.ts";
import type { Build } from "./routes/context.ts";
import { problemSchema } from "./schemas/problem.ts";

/** Problems that any route may answer with. */
const UBIQUITOUS_PROBLEMS: readonly ProblemCode[] = ["uriTooLong", "rateLimited", "internal", "overloaded"];

/** Registers an endpoint's documentation: made of the schemas that validate its parameters and, in tests, its answers. */
export function documentEndpoint<E extends Env>(app: OpenAPIHono<E>, base: string, endpoint: Endpoint): void {
  const { method, path, name, summary, params, query, body, success, isTagged, problems } = endpoint;
  const version = base.split("/").at(-1) ?? "";
  const responses: RouteConfig["responses"] = {
    [success.status]: { description: success.description, ...contentOf(success.content) },
    ...(isTagged ? { 304: { description: "The answer is the one whose entity tag the request names" } } : {}),
    ...problemResponses([...problems, ...UBIQUITOUS_PROBLEMS]),
  };
  app.openAPIRegistry.registerPath({
    method,
    path: `${base}${path}`,
    operationId: version === "" || version === "v2" ? name : `${name}${version.toUpperCase()}`,
    summary,
    tags: [version === "" ? "operations" : version],
    ...(version === "v1" ? { deprecated: true } : {}),
    request: {
      ...(params ? { params } : {}),
      ...(query ? { query } : {}),
      ...(body ? { body: { required: true, ...contentOf(body) } } : {}),
    },
    responses,
  });
}

/** The OpenAPI 3.1 document of everything that was registered. */
export function renderOpenApi<E extends Env>(app: OpenAPIHono<E>, build: Build): object {
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "BIZRA Node-0",
      version: build.version,
      description:
        "HTTP interface of one node. Heights, views, epochs, counts and sizes are JSON numbers; amounts, fees, nonces, weights and every other unsigned 64-bit quantity are decimal strings; bytes are lower-case hex; times are RFC 3339 UTC.",
      license: { name: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
  });
}

function contentOf(content: DocumentedContent): { content: Record<string, { schema: DocumentedContent[string] }> } {
  return { content: Object.fromEntries(Object.entries(content).map(([mediaType, schema]) => [mediaType, { schema }])) };
}

/** One response for each status, naming the codes that come with it. */
function problemResponses(codes: readonly ProblemCode[]): RouteConfig["responses"] {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEM_KINDS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      { description: group.join(", "), content: { "application/problem+json": { schema: problemSchema } } },
    ]),
  );
}
