import { OpenAPIHono } from "@hono/zod-openapi";
import type { Call } from "./call.ts";
import type { Endpoint } from "./endpoint.ts";
import { documentEndpoint, renderOpenApi } from "./openapi.ts";
import { problemResponse } from "./problem.ts";
import { accountEndpoints } from "./routes/accounts.ts";
import { blockEndpoints } from "./routes/blocks.ts";
import type { RouteContext } from "./routes/context.ts";
import { eventEndpoints } from "./routes/events.ts";
import { nodeEndpoints } from "./routes/node.ts";
import { operationEndpoints } from "./routes/operations.ts";
import { PAGE_PATHS, pageAnswer } from "./routes/page.ts";
import { submissionEndpoint } from "./routes/submission.ts";
import { transactionEndpoints } from "./routes/transactions.ts";
import { validatorEndpoints } from "./routes/validators.ts";

/** What Hono hands to the routes beside the request. */
type Environment = { Bindings: { call: Call } };

/** The routes as one function: every request to an answer or a problem. */
export type Application = (call: Call) => Promise<Response>;

/** Mounts every route of every version, the OpenAPI document, and the answers for what is not there. */
export function makeApplication(context: RouteContext): Application {
  const app = new OpenAPIHono<Environment>({ getPath: (request) => pathOf(request.url) });
  const reads = [
    ...transactionEndpoints(context),
    ...accountEndpoints(context),
    ...blockEndpoints(context),
    ...validatorEndpoints(context),
    ...nodeEndpoints(context),
    ...eventEndpoints(context),
  ];
  const everything = [submissionEndpoint(context), ...reads];
  mount(app, "/api/v2", everything);
  mount(app, "/api/v1", reads);
  mount(app, "/api/v3", everything);
  mount(app, "", operationEndpoints(context));
  let document: string | undefined; // made when first asked for, so that no start waits for it
  app.get("/openapi.json", ({ env: { call } }) => {
    call.route = "/openapi.json";
    document ??= JSON.stringify(renderOpenApi(app, context.build));
    return new Response(document, { headers: { "content-type": "application/json", "cache-control": "no-store" } });
  });
  app.all("/openapi.json", ({ env: { call } }) => methodNotAllowed(call, ["get"]));
  for (const path of PAGE_PATHS) {
    app.get(path, ({ env: { call } }) => {
      call.route = path;
      return pageAnswer(path, call);
    });
    app.all(path, ({ env: { call } }) => methodNotAllowed(call, ["get"]));
  }
  app.notFound(({ env: { call } }) =>
    problemResponse({ code: "notFound", detail: "no route has this path; /openapi.json lists them" }, call.path),
  );
  app.onError((error) => {
    throw error; // the front answers what nobody expected, and reports it
  });
  return async (call) => app.fetch(call.request, { call });
}

/** The path of a request's URL, without its query. A client that sends no usable Host header makes the URL a bare path. */
export function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  if (start < 0) return "/";
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

function mount(app: OpenAPIHono<Environment>, base: string, endpoints: readonly Endpoint[]): void {
  for (const endpoint of endpoints) {
    const template = `${base}${endpoint.path}`;
    documentEndpoint(app, base, endpoint);
    app.on(endpoint.method.toUpperCase(), routingPath(template), (c) => {
      const { call } = c.env;
      call.route = template;
      return endpoint.respond(c.req.param(), c.req.query(), call);
    });
  }
  for (const path of new Set(endpoints.map((endpoint) => endpoint.path))) {
    const methods = endpoints.filter((endpoint) => endpoint.path === path).map((endpoint) => endpoint.method);
    app.all(routingPath(`${base}${path}`), ({ env: { call } }) => {
      call.route = `${base}${path}`;
      return methodNotAllowed(call, methods);
    });
  }
}

function methodNotAllowed(call: Call, methods: readonly Endpoint["method"][]): Response {
  const allow = methods.flatMap((method) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()])).join(", ");
  return problemResponse(
    { code: "methodNotAllowed", detail: `expected ${allow}, got ${call.request.method}`, headers: { allow } },
    call.path,
  );
}

/** OpenAPI's `{name}` as the router's `:name`. */
function routingPath(template: string): string {
  return template.replace(/\{(\w+)\}/g, ":$1");
}
