import type { OpenAPIHono, RouteConfig } from "@hono/zod-openapi";
import type { FleetEndpoint } from "./endpoint.ts";
import { FLEET_PROBLEMS, type FleetProblemCode } from "./problem.ts";
import { loginBody, problemSchema, sessionAnswer } from "./schemas.ts";

const BASE = "/api/v2/fleet";

/** The OpenAPI 3.1 document of the fleet API, made of the schemas that validate. */
export function renderFleetOpenApi(app: OpenAPIHono, endpoints: readonly FleetEndpoint[], version: string): object {
  const json = (schema: NonNullable<FleetEndpoint["answer"]>) => ({ content: { "application/json": { schema } } });
  for (const { method, path, name, summary, params, query, body, answer, problems } of endpoints) {
    app.openAPIRegistry.registerPath({
      method,
      path: `${BASE}${path}`,
      operationId: name,
      summary,
      request: { ...(params && { params }), ...(query && { query }), ...(body && { body: { required: true, ...json(body) } }) },
      responses: {
        200: { description: "Done", ...json(answer) },
        ...problemResponses(["malformed", "notLoggedIn", "unavailable", ...problems]),
      },
    });
  }
  const session = { description: "Who is logged in", ...json(sessionAnswer) };
  const path = `${BASE}/session`;
  app.openAPIRegistry.registerPath({
    method: "post",
    path,
    operationId: "logIn",
    summary: "Logs in: sets the cookie, and answers with the token for changes.",
    request: { body: { required: true, ...json(loginBody) } },
    responses: { 200: session, ...problemResponses(["malformed", "wrongCredentials", "crossSite", "slowDown", "busy"]) },
  });
  app.openAPIRegistry.registerPath({
    method: "get",
    path,
    operationId: "getSession",
    summary: "Who is logged in.",
    responses: { 200: session, ...problemResponses(["notLoggedIn"]) },
  });
  app.openAPIRegistry.registerPath({
    method: "delete",
    path,
    operationId: "logOut",
    summary: "Logs out.",
    responses: { 200: { description: "Done" }, ...problemResponses(["notLoggedIn", "crossSite"]) },
  });
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "BIZRA fleet",
      version,
      description:
        "What an aggregator knows of nodes. Log in at /session; the cookie goes with every request, and the token of the login in x-csrf-token with every change. Bytes are lower-case hex, times RFC 3339 UTC, weights decimal strings.",
      license: { name: "Apache-2.0" },
    },
  });
}

/** One response for each status, naming the codes that come with it. */
function problemResponses(codes: readonly FleetProblemCode[]): RouteConfig["responses"] {
  const byStatus = Map.groupBy(new Set(codes), (code) => FLEET_PROBLEMS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      String(status),
      { description: group.join(", "), content: { "application/problem+json": { schema: problemSchema } } },
    ]),
  );
}
